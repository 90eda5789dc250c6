"""What a release is made of, as CycloneDX 1.6: packages, packages of the browser's parts, networks.

usage: python scripts/materials.py [FILE]   (emoviz.cdx.json)

Packages are those of `requirements-lock.txt`, of every platform, with the hashes of their files;
licences are said of those that are installed here. The same release gives the same file.
"""

import base64
import json
import re
import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

from licences import licence_of

ROOT = Path(__file__).resolve().parent.parent
_PIN = re.compile(r"([a-z0-9-]+)(?:\[.*\])?==([^\s;]+)(?: ; (.*?))?(?: \\)?$")
_HASH = re.compile(r"    --hash=sha256:([0-9a-f]{64})")


def materials() -> dict[str, Any]:
    """The bill of materials as plain values for JSON."""
    sys.path.insert(0, str(ROOT))
    from emoviz import __version__

    own = f"pkg:pypi/emoviz@{__version__}"
    parts = [*_packages(), *_browser_packages(), *_networks()]
    refs = [part["bom-ref"] for part in parts]
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {
            "component": {
                "type": "application",
                "bom-ref": own,
                "name": "emoviz",
                "version": __version__,
                "purl": own,
                "licenses": [{"license": {"id": "Apache-2.0"}}],
            }
        },
        "components": parts,
        "dependencies": [{"ref": own, "dependsOn": refs}, *({"ref": ref} for ref in refs)],
    }


def _packages() -> Iterator[dict[str, Any]]:
    """The pins of the lock with their hashes."""
    found: list[dict[str, Any]] = []
    for line in (ROOT / "requirements-lock.txt").read_text(encoding="utf-8").splitlines():
        if pin := _PIN.match(line):
            name, version, where = pin.groups()
            item = _component("library", f"pkg:pypi/{name}@{version}", name, version)
            if licence := _licence(name):
                item["licenses"] = [{"license": {"name": licence}}]
            if where:
                item["properties"] = [{"name": "emoviz:where", "value": where}]
            address = f"https://pypi.org/project/{name}/{version}/#files"
            files = {"type": "distribution", "url": address, "hashes": []}
            found.append({**item, "externalReferences": [files]})
        elif match := _HASH.match(line):
            files["hashes"].append({"alg": "SHA-256", "content": match[1]})
    yield from found


def _browser_packages() -> Iterator[dict[str, Any]]:
    """What is built into the map and the desk, each once."""
    seen = set()
    for lock in sorted(ROOT.glob("frontend/*/package-lock.json")):
        for path, entry in json.loads(lock.read_text(encoding="utf-8"))["packages"].items():
            name = path.rpartition("node_modules/")[2]
            place = f"pkg:npm/{name.replace('@', '%40')}@{entry.get('version')}"
            if not path or entry.get("dev") or place in seen:
                continue
            seen.add(place)
            digest = base64.b64decode(entry["integrity"].removeprefix("sha512-")).hex()
            yield {
                **_component("library", place, name, entry["version"]),
                "licenses": [{"license": {"name": entry.get("license", "not stated")}}],
                "externalReferences": [
                    {
                        "type": "distribution",
                        "url": f"https://www.npmjs.com/package/{name}/v/{entry['version']}",
                        "hashes": [{"alg": "SHA-512", "content": digest}],
                    }
                ],
            }


def _networks() -> Iterator[dict[str, Any]]:
    for path in sorted(ROOT.glob("checkpoints/*/card.json")):
        card = json.loads(path.read_text(encoding="utf-8"))
        place = f"checkpoint:{card['id']}"
        yield {
            **_component("machine-learning-model", place, card["id"], card["weights_sha256"][:12]),
            "description": card["title"],
            "licenses": [{"license": {"name": card["licence"]}}],
            "hashes": [{"alg": "SHA-256", "content": card["weights_sha256"]}],
        }


def _component(kind: str, place: str, name: str, version: str) -> dict[str, Any]:
    item = {"type": kind, "bom-ref": place, "name": name, "version": version}
    return {**item, "purl": place} if place.startswith("pkg:") else item


def _licence(name: str) -> str:
    try:
        return licence_of(distribution(name))
    except PackageNotFoundError:  # of another platform
        return ""


if __name__ == "__main__":
    out = Path(sys.argv[1] if len(sys.argv) > 1 else "emoviz.cdx.json")
    out.write_text(json.dumps(materials(), indent=2) + "\n", encoding="utf-8")
    print(f"Written: {out}")
