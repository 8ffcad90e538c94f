"""Moves an alias of a model to another artifact, where every function that follows it can serve that."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sls_ml import deploy as story
from sls_ml.artifact import manifest as manifests
from sls_ml.conversion import Converted, find, locked
from sls_ml.errors import ModelError, UsageError
from sls_ml.provider.base import Alias, Deployer, Followed
from sls_ml.spec.model import Project
from sls_ml_runtime.follow import alias_key, signature


@dataclass(frozen=True)
class Promotion:
    """An alias before and after.

    Attributes:
        model: The model.
        alias: The alias.
        uri: Where it lies.
        before: The digest it pointed to; None for an alias that is new.
        after: The digest it points to.
        functions: The deployed functions that follow it.
        seconds: After how long the slowest of them looks where it points.
    """

    model: str
    alias: str
    uri: str
    before: str | None
    after: str
    functions: tuple[str, ...]
    seconds: int


def promote(
    project: Project, model: str, alias: str, *, digest: str | None, back: bool, narrator: story.Narrator
) -> Promotion:
    """Point an alias to an artifact.

    Args:
        project: The checked spec, for one stage.
        model: The model's name in the spec.
        alias: The alias that functions follow.
        digest: The artifact, by the beginning of its digest; None for the one that is checked in.
        back: To the one that the alias pointed to before, instead.
        narrator: Who follows the work.

    Raises:
        UsageError: No deployed function follows this alias, or there is no such artifact.
        ModelError: A function could not serve the artifact: the error says why, and to deploy it.
        ApplyError: Somebody else moved the alias in the meantime.
    """
    deployer = story.connect(project)
    followers = _followers(deployer, project, model, alias)
    store = story.store(project, deployer)
    uri = f"{store}/{alias_key(model, alias)}"
    before = deployer.aliases.find(uri)
    known = {each.digest for each in followers} | _pointed(before)
    wanted = _before(before, uri) if back else _chosen(project, model, digest, known)
    local = _local(project, model, wanted)
    manifest = _manifest(deployer, store, model, wanted, local)
    for each in followers:
        packaged = _manifest(deployer, store, model, each.digest, _local(project, model, each.digest))
        _refuse(each, wanted, packaged, manifest)
    if before is None or before.digest != wanted:
        if local is not None:
            narrator.follow(deployer.upload(story.artifact_uploads(local, store)), work="uploads")
        deployer.aliases.move(uri, wanted, before=before)
    return Promotion(
        model=model,
        alias=alias,
        uri=uri,
        before=before.digest if before else None,
        after=wanted,
        functions=tuple(each.function for each in followers),
        seconds=max(each.seconds for each in followers),
    )


@dataclass(frozen=True)
class Pointing:
    """What a deployed function serves of a model that it follows; `digest` is None for a missing alias."""

    followed: Followed
    digest: str | None


def pointing(project: Project, deployer: Deployer) -> Iterator[Pointing]:
    """Where the aliases that deployed functions follow point now."""
    store = story.store(project, deployer)
    for each in deployer.followed():
        alias = deployer.aliases.find(f"{store}/{alias_key(each.model, each.alias)}")
        yield Pointing(each, alias.digest if alias else None)


def served(project: Project, function: str) -> str:
    """The digest of the one model of a batch function that scores the next object."""
    if project.functions[function].follow is not None:
        for each in pointing(project, story.connect(project)):
            if each.followed.function == function and each.digest is not None:
                return each.digest
    return locked(project)[project.functions[function].model_names[0]].digest


def differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[str]:
    """Why callers of one model would notice that another answers, beside other predictions.

    Args:
        old: The manifest of the model that they call.
        new: The manifest of the other one. It may accept more than the old one, and never less.
    """
    names, others = ([each["name"] for each in manifest["inputs"]] for manifest in (old, new))
    if old["kind"] != new["kind"]:
        yield f"it is a {new['kind']}, not a {old['kind']}"
    elif names != others:
        yield f"its inputs are {_listed(others)}, not {_listed(names)}"
    elif old["classes"] != new["classes"]:
        yield f"its classes are {new['classes']}, not {old['classes']}"
    elif signature(old) != signature(new):
        yield "its inputs or outputs have other types"
    else:
        for one, other in zip(old["inputs"], new["inputs"], strict=True):
            yield from (f"{one['name']} {what}" for what in _narrower(one, other))


def _narrower(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[str]:
    """What an input accepts no more."""
    if old["nullable"] and not new["nullable"]:
        yield "may no longer be missing"
    if new["finite"] and not old["finite"]:
        yield "may no longer be infinite"
    if new["range"] and not (
        old["range"] and new["range"][0] <= old["range"][0] and old["range"][1] <= new["range"][1]
    ):
        yield f"must now lie in {new['range']}"
    if new["categories"] is not None:
        gone = (
            None
            if old["categories"] is None
            else [c for c in old["categories"] if c not in new["categories"]]
        )
        if gone is None or gone:
            yield "knows fewer categories" if gone is None else f"no longer knows {_listed(gone)}"


def _refuse(
    follower: Followed, wanted: str, packaged: Mapping[str, Any], manifest: Mapping[str, Any]
) -> None:
    why = list(differences(packaged, manifest))
    if follower.engine not in manifest["engines"]:
        why.append(f"the engine {follower.engine} in the package is not proven for it")
    if why:
        raise ModelError(
            f"{follower.function} cannot serve {follower.model} {wanted[:12]} without a deploy",
            code="not-promotable",
            where=f"{follower.model} {follower.digest[:12]} in the package of {follower.function}",
            why="; ".join(why),
            mend="deploy it (`sls-ml deploy`), then promote it: the alias stays where it is until then",
        )


def _followers(deployer: Deployer, project: Project, model: str, alias: str) -> Sequence[Followed]:
    every = [each for each in deployer.followed() if each.model == model]
    found = [each for each in every if each.alias == alias]
    if not found:
        aliases = sorted({each.alias for each in every})
        raise UsageError(
            f"no function that is deployed to {project.stage} follows {alias} of {model}",
            code="alias-unknown",
            why=f"{model} is followed as {', '.join(aliases)}" if aliases else None,
            mend=f"say --to {aliases[0]}"
            if aliases
            else f"release what is checked in with `sls-ml deploy --frozen`; or write `follow: {alias}` into "
            "the function and deploy it once",
        )
    return found


def _pointed(alias: Alias | None) -> set[str]:
    return {each for each in (alias.digest, alias.previous) if each} if alias else set()


def _before(alias: Alias | None, uri: str) -> str:
    if alias is None or alias.previous is None:
        raise UsageError(
            "the alias has pointed to nothing else",
            code="nothing-before",
            where=uri,
            mend="name the artifact with --digest",
        )
    return alias.previous


def _chosen(project: Project, model: str, digest: str | None, known: set[str]) -> str:
    """The whole digest that the user means."""
    if digest is None:
        return locked(project)[model].digest
    folder = project.artifacts_folder / model
    there = {path.name for path in folder.iterdir() if path.is_dir()} if folder.is_dir() else set()
    candidates = (
        {digest} if len(digest) == 64 else {each for each in known | there if each.startswith(digest)}
    )
    if len(candidates) != 1:
        listed = ", ".join(sorted(each[:12] for each in candidates or known | there))
        what = "several artifacts" if candidates else "no artifact"
        raise UsageError(
            f"{digest} begins the digest of {what} of {model}",
            code="digest-ambiguous" if candidates else "digest-unknown",
            where=str(folder),
            mend=f"there are {listed}; one that lies in the store alone is named in full: 64 digits",
        )
    return candidates.pop()


def _local(project: Project, model: str, digest: str) -> Converted | None:
    """An artifact of the artifacts folder, where it is there."""
    there = (project.artifacts_folder / model / digest).is_dir()
    return find(project, model, digest) if there else None


def _manifest(
    deployer: Deployer, store: str, model: str, digest: str, local: Converted | None
) -> Mapping[str, Any]:
    if local is not None:
        return local.manifest
    uri = f"{store}/{model}/{digest}/manifest.json"
    text = deployer.aliases.manifest(uri)
    if text is None:
        raise UsageError(
            f"there is no artifact {digest[:12]} of {model}, neither here nor in the store",
            code="artifact-unknown",
            where=uri,
            mend="run `sls-ml convert`, or take one that `sls-ml status` names",
        )
    mend = "delete that object (the store keeps its old versions), and deploy or promote again"
    return manifests.parse(text, digest, where=uri, mend=mend)


def _listed(names: Sequence[Any]) -> str:
    shown = ", ".join(str(name) for name in names[:5])
    return f"{shown} and {len(names) - 5} more" if len(names) > 5 else shown
