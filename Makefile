# make course     a virtual environment, every notebook run, pages to read in build/
# make lab        JupyterLab, with the notebooks open
# make test       everything that must hold: tests, lint, types, the notebooks
# make notebooks  for authors: run the notebooks in place on MNIST, and clean them
#
# PYTHON=...   the Python to build .venv with   (else the first suitable one found)
# CPU=1        the CPU build of torch: 200 MB instead of about 6 GB on Linux
# PROFILE=...  smoke, quick or full             (make course takes smoke)

PROFILE ?= smoke
WORKERS ?= 2
PYTHON ?= python3.11 python3 python3.12 python3.13 python3.10 python
CELL_SECONDS ?= 180

VENV := .venv
RUN := $(VENV)/bin/python
STAMP := $(VENV)/.installed
NOTEBOOKS := $(sort $(wildcard notebooks/*.ipynb))
# Several workers share the cores, so each takes one thread.
ONE_THREAD := OMP_NUM_THREADS=1 MKL_NUM_THREADS=1

PIP := $(RUN) -m pip --disable-pip-version-check install -c constraints.txt
ifeq ($(CPU),1)
PIP += --extra-index-url https://download.pytorch.org/whl/cpu
endif

# An environment that was moved, or whose Python is gone, does not count as installed.
$(shell test -e $(STAMP) && { test "$$(cat $(STAMP))" = "$(CURDIR)" && $(RUN) -c '' 2>/dev/null || rm -f $(STAMP); })

.PHONY: course lab test notebooks
.DEFAULT_GOAL := course

course: $(STAMP)
	@COURSEKIT_PROFILE=$(PROFILE) $(RUN) -m coursekit publish run
	@echo
	@echo "The executed pages are in build/. To work with the notebooks:  make lab"

lab: $(STAMP)
	$(RUN) -m jupyterlab $(if $(filter 0,$(shell id -u)),--allow-root) $(LAB_ARGS) $(or $(firstword $(wildcard notebooks/01_*.ipynb)),notebooks)

test: $(STAMP)
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .
	$(RUN) -m mypy
	$(ONE_THREAD) $(RUN) -m pytest -n $(WORKERS) --dist loadfile
ifneq ($(NOTEBOOKS),)
	$(ONE_THREAD) COURSEKIT_PROFILE=smoke $(RUN) -m pytest -n $(WORKERS) --dist loadfile \
	    --nbval-lax --nbval-current-env --nbval-cell-timeout=$(CELL_SECONDS) $(NOTEBOOKS)
endif

notebooks: $(STAMP)
	$(RUN) -m ruff check --fix $(NOTEBOOKS)
	$(RUN) -m ruff format $(NOTEBOOKS)
	COURSEKIT_PROFILE=quick $(RUN) -m coursekit publish refresh
	$(RUN) -m coursekit student $(NOTEBOOKS) -o notebooks/student

# The stamp is written last: an installation that breaks off is taken up again.
$(STAMP): pyproject.toml constraints.txt
	@rm -f $@
	@$(RUN) -m pip --version >/dev/null 2>&1 || { \
	    for p in $(PYTHON); do \
	        if "$$p" -c 'import sys; sys.exit(sys.version_info < (3, 10))' 2>/dev/null; then \
	            found=$$p; break; fi; done; \
	    if [ -z "$$found" ]; then \
	        echo "The course needs Python 3.10 or newer, and none of \"$(PYTHON)\" is that:" \
	            "install one, or name yours with make course PYTHON=/path/to/python3" >&2; exit 1; fi; \
	    echo "Making .venv with $$found"; \
	    "$$found" -m venv --clear $(VENV) >/dev/null 2>&1 || { \
	        "$$found" -m venv --clear --without-pip $(VENV) && \
	        "$$found" -m pip --python $(RUN) install pip; }; }
	@echo "Installing into .venv; this takes some minutes, once."
	$(PIP) -e '.[classroom,test]'
	@echo "$(CURDIR)" > $@
