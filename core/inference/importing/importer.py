"""Whatever model a folder or .zip holds becomes one of the user's model packages."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from core.control import JobControl
from core.errors import ModelError
from core.files import write_bytes, write_text
from core.inference.archive import import_package
from core.inference.assemble import FORBIDDEN, INTENDED, write_manifest
from core.inference.card import card_text
from core.inference.importing.contents import Contents
from core.inference.importing.found import Found
from core.inference.manifest import MANIFEST, Manifest, Member
from core.inference.network import load_network
from core.inference.package import CARD, EXPERIMENT, WEIGHTS, AnyPackage, ModelPackage, weights_file
from core.inference.publish import new_package

KINDS = (
    "a package of Isocenter (model.yaml), a trained nnU-Net v2 model (plans.json, dataset.json and"
    " fold_0/checkpoint_final.pth) or a MONAI bundle (configs/inference.json, configs/metadata.json and"
    " models/model.pt)"
)


def import_model(
    path: Path, *, name: str | None = None, fold: str | None = None, orientation: str | None = None,
    control: JobControl | None = None,
) -> tuple[AnyPackage, str]:  # fmt: skip
    """Take in the model of a folder or .zip; the package, and what it was, in a few words.

    name: for models of other programs, instead of their own. fold, orientation: of an nnU-Net
    model, whose folds are taken as one ensemble where none is named.
    Raises ModelError, with nothing half-written, for what is no model, hostile, or cannot be reproduced.
    """
    from core.inference.importing.monai_bundle import is_bundle, read_bundle
    from core.inference.importing.nnunet import is_nnunet, read_nnunet

    control = control or JobControl()
    control.progress(None, f"Looking at {path.name}")
    contents = Contents(path)
    if contents.find(MANIFEST) and contents.find(WEIGHTS):
        if name or fold or orientation:
            raise ModelError("a package keeps its name and settings", where=path, mend="Import it without options.")
        return import_package(path), "a package of Isocenter"
    control.progress(None, f"Reading {path.name}")
    if is_nnunet(contents):
        found = read_nnunet(contents, fold=fold, orientation=orientation)
    elif fold or orientation:
        raise ModelError("only nnU-Net models have a fold and an orientation", where=path)
    elif is_bundle(contents):
        found = read_bundle(contents)
    else:
        raise ModelError("there is no model in it that can be read", where=path, mend=f"Give {KINDS}.")
    control.progress(None, "Writing the package")
    made = new_package(
        name or found.name, "", lambda part, slug, version: _write(found, path, part, name=slug, version=version)
    )
    return made, found.kind


def _write(found: Found, path: Path, folder: Path, *, name: str, version: str) -> ModelPackage:
    """The package of a model that was found at `path`, written into `folder`. Raises ModelError where it cannot be."""
    from safetensors.torch import save

    # Copies of their own in plain row-major order, as files hold them.
    networks = [save({key: _plain(tensor) for key, tensor in one.items()}) for one in (found.weights, *found.further)]
    shas = [hashlib.sha256(one).hexdigest() for one in networks]
    try:
        manifest = Manifest(
            name=name, version=version, title=found.title[:200] or name, network=found.network, plan=found.plan,
            pipeline=found.pipeline.model_dump(mode="json"), mirror_axes=found.mirror_axes, training=found.training,
            intended_use=found.intended_use or INTENDED, forbidden_use=FORBIDDEN,
            sha256=shas[0], format=2 if found.further else 1,
            members=[Member(sha256=one) for one in shas[1:]] or None,
        )  # fmt: skip
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()[:3])
        raise ModelError(f"the model cannot be used here ({wrong})", where=path) from None
    for place, weights in enumerate(networks):
        write_bytes(folder / weights_file(place), weights)
    write_manifest(folder, manifest)
    package = ModelPackage(folder, manifest)
    try:
        for network in package.networks:
            load_network(network)  # weights that do not fit are told of now, not at the first prediction
    except ModelError as error:
        raise ModelError(error.what, where=path) from None
    write_text(folder / CARD, card_text(package))
    write_text(folder / EXPERIMENT, yaml.safe_dump({"imported": found.kind}))
    return package


def _plain(tensor: Any) -> Any:
    plain = tensor.detach().float() if tensor.is_floating_point() else tensor.detach()
    return plain.contiguous().clone()
