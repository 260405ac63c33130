from minidecay.devices.protocol import Array
from minidecay.ops.base import Gradients, is_number
from minidecay.ops.loss import ClassLoss, Reduction


class CrossEntropy(ClassLoss):
    """loss[n] = -log softmax(logits[n])[labels[n]];  gx = softmax(logits) - one_hot(labels)

    With label smoothing e it is (1 - e) times that and e times the mean of the same loss over all K
    classes, of which gx = softmax(logits) - 1 / K. Szegedy et al. 2016.
    """

    def __init__(
        self, labels: Array, reduction: Reduction = "mean", label_smoothing: float = 0.0
    ) -> None:
        super().__init__(labels, reduction)
        if not is_number(label_smoothing) or not 0 <= label_smoothing <= 1:
            self.fail(f"label_smoothing={label_smoothing!r} must be a number from 0 to 1")
        self.smoothing = label_smoothing

    def forward(self, logits: Array) -> Array:
        device, e = self.device, self.smoothing
        labels = device.asarray(self.labels)  # the host's go over once, and not in backward
        losses, probabilities = device.softmax_cross_entropy(logits, labels)
        self.save(probabilities, labels)
        if e:
            even = device.div(device.sum(device.log_softmax(logits), 1), -logits.shape[1])
            losses = device.add(device.mul(losses, 1 - e), device.mul(even, e))
        return self.reduce(losses)

    def backward(self, gy: Array) -> Gradients:
        device, e, (probabilities, labels) = self.device, self.smoothing, self.saved
        gy = self.of_each(gy)
        if not e:
            return (device.softmax_cross_entropy_grad(gy, probabilities, labels),)
        even = device.sub(probabilities, 1 / probabilities.shape[1])
        return (
            device.add(
                device.softmax_cross_entropy_grad(device.mul(gy, 1 - e), probabilities, labels),
                device.mul(even, device.mul(device.reshape(gy, (-1, 1)), e)),
            ),
        )
