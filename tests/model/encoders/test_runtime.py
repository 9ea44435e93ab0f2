"""What the model runs on keeps to itself."""

import os
import subprocess
import sys
from pathlib import Path

LISTEN = """
import sys
asked = []
sys.addaudithook(lambda event, args: asked.append(args) if event == "socket.getaddrinfo" else None)
import model.starter.picture_tower
print(asked)
"""

LOAD = """
import sys
from model.presets import STARTER, load_encoder
load_encoder(STARTER, device="cpu", adapter=None, parts_dir=None).texts(["a dog"])
print([name for name in ("transformers", "peft") if name in sys.modules])
"""


def test_the_starter_as_it_is_waits_for_no_library_it_does_not_need() -> None:
    """Who asks first waits for the model to load: not for transformers and peft too, which take as long again."""
    done = subprocess.run([sys.executable, "-c", LOAD], capture_output=True, text=True, timeout=100)
    assert done.stdout.strip() == "[]", done.stderr


def test_loading_the_model_tells_nobody(tmp_path: Path) -> None:
    """Importing the tower looks no host up and leaves no identifier of this machine in its owner's home."""
    environment = os.environ | {"HOME": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", LISTEN], env=environment, capture_output=True, text=True, timeout=100)
    assert done.stdout.strip() == "[]", done.stderr
    assert not (tmp_path / "intel").exists()
