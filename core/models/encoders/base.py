"""What every encoder of stays has: its width, its dropout, and where its weights come from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import Field

from core.registry import Part

if TYPE_CHECKING:
    from core.models.nets.stays import StayEncoder


class EncoderConfig(Part):
    """Base of the encoders; a new one gives `body`, a module (x (B, T, width), padding (B, T)) -> (B, T, width).

    The body keeps its layers in `blocks`, from the input on, for learning rates that differ by depth.
    """

    checkpoint: str | None = Field(
        None,
        max_length=4000,
        title="Begin with",
        description="A pretraining run, or a file of weights (.safetensors, .pt, .ckpt); empty: random weights.",
        json_schema_extra={"of": "runs", "tasks": ["pretraining", "finetuning"]},
    )
    d_model: int = Field(128, ge=4, le=4096, title="Width", description="Numbers that describe each step.")
    dropout: float = Field(0.1, ge=0, lt=1, title="Dropout", description="Part of the signals left out in training.")

    def body(self) -> Any:
        raise NotImplementedError

    def build(self, variables: int, static_width: int) -> StayEncoder:
        """The encoder as a torch module."""
        from core.models.nets.stays import StayEncoder

        return StayEncoder(variables, static_width, self.d_model, self.body(), self.dropout)

    def settings(self) -> dict[str, Any]:
        """All but where the weights come from, as plain values."""
        return self.model_dump(mode="json", exclude={"checkpoint"})
