"""Side effects of importing and loading models."""

import os
import subprocess
import sys
from pathlib import Path

RECORD_LOOKUPS = """
import sys
lookups = []
sys.addaudithook(lambda event, args: lookups.append(args) if event == "socket.getaddrinfo" else None)
import model.starter.picture_tower
print(lookups)
"""

LIST_LOADED_LIBRARIES = """
import sys
from model.loader import load_encoder
from model.preset_files import find_preset
load_encoder(find_preset("starter"), device="cpu", adapter=None, artifacts_dir=None).encode_texts(["a dog"])
print([name for name in ("transformers", "peft") if name in sys.modules])
"""


def test_starter_without_adapter_does_not_import_transformers() -> None:
    """Importing transformers and peft would double the time of a worker's first answer."""
    done = subprocess.run([sys.executable, "-c", LIST_LOADED_LIBRARIES], capture_output=True, text=True, timeout=100)
    assert done.stdout.strip() == "[]", done.stderr


def test_importing_openvino_sends_no_telemetry(tmp_path: Path) -> None:
    """The import resolves no host name and writes no machine id into the home directory."""
    environment = os.environ | {"HOME": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", RECORD_LOOKUPS], env=environment, capture_output=True, text=True, timeout=100
    )
    assert done.stdout.strip() == "[]", done.stderr
    assert not (tmp_path / "intel").exists()
