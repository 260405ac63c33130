"""Linear probes: how well classes can be told apart by a network's features, in closed form."""

import numpy as np
from numpy.typing import NDArray

from minidecay import nn
from minidecay.autograd import from_numpy, no_grad
from minidecay.data import Split
from minidecay.data.split import FloatArray

AT_ONCE = 500  # images, as in `training.evaluate`


def linear_probe(network: nn.Module, split: Split, ridge: float = 1e-3) -> nn.Sequential:
    """A network with the features of `network`, frozen, and a last layer fitted to `split`.

    The features are what goes into the network's last layer, in evaluation mode. The new layer is
    the ridge regression of the one-hot labels on them (`ridge_regression`). Both networks share
    the layers before it; weights and modes of `network` stay as they are. TypeError for a network
    that is no Sequential, whose last layer cannot be told.

    >>> network = md.models.mlp(2, 8, 3, rng=np.random.default_rng(0))
    >>> split = md.data.from_arrays([[0, 0], [4, 0], [0, 4], [4, 4]], np.array([0, 1, 1, 0]))
    >>> md.training.evaluate(linear_probe(network, split), split).accuracy()
    {'all': 1.0}
    """
    if not isinstance(network, nn.Sequential):
        kind = type(network).__name__
        raise TypeError(f"linear_probe: network is a {kind}; give a Sequential, such as an mlp")
    body = network[:-1]
    weight, bias = ridge_regression(
        features(body, split.images), np.eye(split.classes)[split.labels], ridge
    )
    layer = nn.Linear(*weight.shape)
    layer.load_state_dict({"weight": np.float32(weight), "bias": np.float32(bias)})
    return nn.Sequential(body, layer.to(network.device))


def features(body: nn.Module, images: FloatArray) -> NDArray[np.float64]:
    """What `body` makes of images (N, ...) in evaluation mode: (N, d); its modes stay."""
    modes, device = [(module, module.training) for module in body.modules()], body.device
    body.eval()
    try:
        with no_grad():
            parts = [
                body(from_numpy(images[start : start + AT_ONCE], device)).numpy()
                for start in range(0, len(images), AT_ONCE)
            ]
    finally:
        for module, training in modes:
            module.training = training
    return np.concatenate(parts).astype(np.float64)


def ridge_regression(
    x: NDArray[np.float64], y: NDArray[np.float64], ridge: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Weight W (d, k) and bias b (k,) of least sum |x W + b - y|^2 + penalty |W|^2.

    x: (N, d); y: (N, k). The bias goes unpenalised. The penalty is N `ridge` times the mean
    variance of a feature, so that the scale of x does not matter: with the centred X and Y,
    W = (X^T X + penalty I)^-1 X^T Y (Hoerl and Kennard 1970). Features that are all constant have
    weight 0.

    >>> weight, bias = ridge_regression(np.array([[0.0], [1.0]]), np.array([[1.0], [3.0]]), 0.0)
    >>> weight, bias
    (array([[2.]]), array([1.]))
    """
    means = x.mean(axis=0), y.mean(axis=0)
    centred = x - means[0]
    gram = centred.T @ centred
    penalty = ridge * np.trace(gram) / len(gram)
    if not gram.any():
        return np.zeros((x.shape[1], y.shape[1])), means[1]
    weight = np.linalg.solve(gram + penalty * np.eye(len(gram)), centred.T @ (y - means[1]))
    return weight, means[1] - means[0] @ weight
