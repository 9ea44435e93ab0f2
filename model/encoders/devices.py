"""Selection of the device and the precision that a model runs with."""

import torch

from model.errors import ModelError


def select_device(name: str) -> torch.device:
    """Return the device for `auto`, `cpu` or `cuda`. `auto` is CUDA if it is available.

    Raises `ModelError` if CUDA is requested but not available.
    """
    if name == "cuda" and not torch.cuda.is_available():
        raise ModelError("the settings ask for CUDA, but torch finds none: set the device to `auto` or `cpu`")
    return torch.device("cuda" if name != "cpu" and torch.cuda.is_available() else "cpu")


def select_dtype(device: torch.device) -> torch.dtype:
    """Return bfloat16 if the device supports it natively. Emulated bfloat16 is slower than float32."""
    if device.type == "cuda":
        native = torch.cuda.is_bf16_supported(including_emulation=False)
    else:
        chip = torch.cpu.get_capabilities()
        native = any(chip.get(name, False) for name in ("avx512_bf16", "amx_bf16", "bf16"))
    return torch.bfloat16 if native else torch.float32
