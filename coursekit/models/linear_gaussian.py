"""The oracle: a VAE so simple that log p(x) and the true posterior have closed forms."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from coursekit.errors import CourseError
from coursekit.likelihoods import LOG_2PI, Gaussian
from coursekit.models.vae import VAE
from coursekit.networks import Decoder, Encoder, Shape, check_pictures


class LinearGaussianVAE(VAE):
    """z ~ N(0, I), x|z ~ N(W z + b, s I): probabilistic PCA, written as a VAE.

    p(x) = N(b, W W^T + s I)
    p(z|x) = N(P^-1 W^T (x - b) / s, P^-1),  P = I + W^T W / s

    The encoder begins as the best that a diagonal Gaussian can do: the true mean, and the
    variances 1 / P_kk that minimise KL(q || p(z|x)). Where the columns of W are orthogonal P is
    diagonal, q equals the true posterior and the ELBO equals log p(x).

    Args:
        weight: W, shape (D, K).
        bias: b, shape (D,); zeros if None.
        noise_var: s, above 0.
        shape: (C, H, W) with C * H * W = D; (1, 1, D) if None.

    Its values are real numbers, but `sample` and `decode` clip to [0, 1] as every model's do: draw
    from p(x) by adding noise of variance s to `decoder(z)`.

    Source: Tipping and Bishop, Probabilistic Principal Component Analysis (1999), equations 4-8.

    Example:
        >>> oracle = LinearGaussianVAE(torch.ones(1, 1), noise_var=1.0)
        >>> oracle.log_marginal(torch.zeros(1, 1, 1, 1))  # log N(0; 0, 2)
        tensor([-1.2655])
    """

    def __init__(
        self,
        weight: Tensor,
        bias: Tensor | None = None,
        noise_var: float = 0.1,
        shape: Shape | None = None,
    ) -> None:
        dims, latent_size = weight.shape
        shape = shape or (1, 1, dims)
        if math.prod(shape) != dims:
            raise CourseError(
                f"LinearGaussianVAE: shape {shape} holds {math.prod(shape)} values but the "
                f"weight has {dims} rows; make them agree."
            )
        if not noise_var > 0:
            raise CourseError(f"LinearGaussianVAE: noise_var is {noise_var}; it must be above 0.")
        encode = nn.Linear(dims, 2 * latent_size, dtype=weight.dtype)
        decode = nn.Linear(latent_size, dims, dtype=weight.dtype)
        super().__init__(
            Encoder(nn.Sequential(nn.Flatten(), encode), shape),
            Decoder(decode, latent_size, shape),
            likelihood=Gaussian(log_var=math.log(noise_var)),
        )
        self.noise_var = noise_var
        self.to(weight.dtype)
        with torch.no_grad():
            decode.weight.copy_(weight)
            decode.bias.copy_(torch.zeros(dims) if bias is None else bias)
            precision = self._precision()
            gain = torch.linalg.solve(precision, weight.T) / noise_var
            encode.weight.copy_(torch.cat([gain, torch.zeros_like(gain)]))
            log_var = -torch.log(torch.diagonal(precision))
            encode.bias.copy_(torch.cat([-gain @ decode.bias, log_var]))

    @property
    def weight(self) -> Tensor:
        """W, (D, K)."""
        layer = self.decoder.network
        assert isinstance(layer, nn.Linear)
        return layer.weight

    @property
    def bias(self) -> Tensor:
        """b, (D,)."""
        layer = self.decoder.network
        assert isinstance(layer, nn.Linear)
        return layer.bias

    def _precision(self) -> Tensor:
        eye = torch.eye(self.latent_size, dtype=self.weight.dtype, device=self.weight.device)
        return eye + self.weight.T @ self.weight / self.noise_var

    @torch.no_grad()
    def log_marginal(self, x: Tensor) -> Tensor:
        """The exact log p(x) = log N(x; b, W W^T + s I).

        Computed in K dimensions: log|W W^T + s I| = D log s + log|P| and
        (W W^T + s I)^-1 = (I - W P^-1 W^T / s) / s.

        Args:
            x: (B, C, H, W).

        Returns:
            Nats, (B,).
        """
        check_pictures(x, self.shape, "log_marginal")
        deviation = x.flatten(1) - self.bias
        precision = self._precision()
        projected = deviation @ self.weight
        inner = (torch.linalg.solve(precision, projected.T).T * projected).sum(dim=1)
        squared = (deviation.square().sum(dim=1) - inner / self.noise_var) / self.noise_var
        dims = deviation.shape[1]
        log_det = dims * math.log(self.noise_var) + torch.logdet(precision)
        return -0.5 * (dims * LOG_2PI + log_det + squared)

    @torch.no_grad()
    def posterior(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The exact p(z|x).

        Args:
            x: (B, C, H, W).

        Returns:
            Means (B, K), and the covariance (K, K) that all pictures share.
        """
        check_pictures(x, self.shape, "posterior")
        covariance = torch.linalg.inv(self._precision())
        mean = (x.flatten(1) - self.bias) @ self.weight @ covariance / self.noise_var
        return mean, covariance
