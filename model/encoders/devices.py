"""Where a model runs, and in which precision."""

import torch

from model.errors import ModelError


def serving_device(name: str) -> torch.device:
    """`auto` is CUDA where there is one. Raises `ModelError`."""
    if name == "cuda" and not torch.cuda.is_available():
        raise ModelError("the setting asks for CUDA, and torch finds none here: set the device to `auto` or `cpu`")
    return torch.device("cuda" if name != "cpu" and torch.cuda.is_available() else "cpu")


def serving_dtype(device: torch.device) -> torch.dtype:
    """bfloat16 where the chip itself computes in it; elsewhere it is emulated, and slower than float32."""
    if device.type == "cuda":
        native = torch.cuda.is_bf16_supported(including_emulation=False)
    else:
        chip = torch.cpu.get_capabilities()
        native = any(chip.get(name, False) for name in ("avx512_bf16", "amx_bf16", "bf16"))
    return torch.bfloat16 if native else torch.float32
