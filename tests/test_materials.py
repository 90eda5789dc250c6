"""The bill of materials: of CycloneDX's form, whole, and the same each time."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from emoviz import __version__
from emoviz.checkpoints import list_checkpoints
from emoviz.settings import PROJECT_ROOT, Settings

SCRIPT = PROJECT_ROOT / "scripts" / "materials.py"


@pytest.fixture(scope="module")
def text(tmp_path_factory: pytest.TempPathFactory) -> str:
    out = tmp_path_factory.mktemp("bom") / "emoviz.cdx.json"
    subprocess.run([sys.executable, SCRIPT, out], check=True, capture_output=True, timeout=100)
    return out.read_text()


def test_it_is_of_the_form_that_cyclonedx_asks_for(text: str) -> None:
    validator = JsonStrictValidator(SchemaVersion.V1_6)
    assert validator.validate_str(text) is None
    assert validator.validate_str(text.replace('"library"', '"book"')) is not None


def test_packages_parts_of_the_browser_and_networks_are_in_it(text: str, home: Path) -> None:
    values = json.loads(text)
    assert values["metadata"]["component"]["version"] == __version__
    known = {item["bom-ref"]: item for item in values["components"]}
    assert len(known) == len(values["components"])
    lock = (PROJECT_ROOT / "requirements-lock.txt").read_text()
    pins = re.findall(r"^([a-z0-9-]+)(?:\[.*\])?==([^\s;]+)", lock, re.MULTILINE)
    assert {f"pkg:pypi/{name}@{version}" for name, version in pins} < set(known)
    streamlit = next(item for item in known.values() if item["name"] == "streamlit")
    (files,) = streamlit["externalReferences"]
    assert all(f"--hash=sha256:{row['content']}" in lock for row in files["hashes"])
    assert streamlit["licenses"][0]["license"]["name"].startswith("Apache")
    assert any(ref.startswith("pkg:npm/openseadragon@") for ref in known)
    for item in list_checkpoints(Settings(home=home))[0]:
        entry = known[f"checkpoint:{item.card.id}"]
        assert entry["hashes"] == [{"alg": "SHA-256", "content": item.card.weights_sha256}]


def test_it_names_no_place_of_this_machine(text: str) -> None:
    assert str(PROJECT_ROOT) not in text
    assert "file:" not in text
