"""A network of pictures that takes volumes: each slice by itself."""

from __future__ import annotations

from torch import Tensor, nn


class Slicewise(nn.Module):
    """Gives a volume's slices across one of its axes (0 to 2) to a 2D network as a batch, and stacks its answers."""

    def __init__(self, network: nn.Module, axis: int) -> None:
        super().__init__()
        self.network = network
        self.axis = 2 + axis

    def forward(self, image: Tensor) -> Tensor | list[Tensor]:
        """(B, C, x, y, z) -> (B, outputs, x, y, z), or a list of such, as the network gives."""
        slices = image.movedim(self.axis, 1)
        answer = self.network(slices.flatten(0, 1))
        if isinstance(answer, Tensor):
            return self._stacked(answer, slices.shape[:2])
        return [self._stacked(one, slices.shape[:2]) for one in answer]

    def _stacked(self, answer: Tensor, slices: tuple[int, ...]) -> Tensor:
        return answer.unflatten(0, slices).movedim(1, self.axis)
