"""Docker and skopeo against the registry: in, out, and who may."""

import json
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from tests.kit.clients import IMAGE, OTHER_USER
from tests.kit.mesh import Snowcave, run

pytestmark = pytest.mark.docker

REPOSITORY = "tutorial_db/data_schema/tutorial_repository"


@pytest.fixture
def scratch(tutorial: Snowcave, session: Any) -> Generator[str]:
    """An image repository of the test's own; its path."""
    session.cursor().execute("CREATE IMAGE REPOSITORY scratch")
    yield f"{tutorial.mesh.registry_host}/tutorial_db/data_schema/scratch"
    session.cursor().execute("DROP IMAGE REPOSITORY scratch")


def credentials(cave: Snowcave) -> str:
    return f"ADMIN:{cave.password}"


def skopeo(cave: Snowcave, command: str, *arguments: str) -> str:
    return run("skopeo", command, *arguments, timeout=60)


def copy_in(cave: Snowcave, scratch: str, folder: Path, name: str) -> str:
    """The tutorial's image out into a layout, and in again under `name`; its digest."""
    login, layout = credentials(cave), f"oci:{folder}/layout:it"
    source = f"docker://{cave.mesh.registry_host}/{IMAGE}"
    tls = "--src-tls-verify=false"
    skopeo(cave, "copy", "-q", tls, "--src-creds", login, source, layout)
    target, tls = f"docker://{scratch}/{name}", "--dest-tls-verify=false"
    digest_file = folder / "digest"
    options = ("-q", tls, "--dest-creds", login, "--digestfile", str(digest_file))
    skopeo(cave, "copy", *options, layout, target)
    return digest_file.read_text().strip()


@pytest.mark.documented
def test_what_docker_pushed_docker_pulls(tutorial: Snowcave, session: Any):
    tag = f"{tutorial.mesh.registry_host}/{IMAGE}"
    image = tutorial.docker("image", "inspect", "--format", "{{.Id}}", tag)
    reference = tag.removesuffix(":latest") + "@" + digest_of(session, "my_echo_service_image")
    tutorial.docker("pull", "--quiet", reference)
    assert tutorial.docker("image", "inspect", "--format", "{{.Id}}", reference) == image


def digest_of(session: Any, image: str) -> str:
    with session.cursor() as cursor:
        cursor.execute(f"SHOW IMAGES IN IMAGE REPOSITORY {REPOSITORY.replace('/', '.')}")
        names = [column[0] for column in cursor.description]
        shown = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
    return next(row["digest"] for row in shown if row["image_name"] == image)


@pytest.mark.ours
def test_skopeo_copies_out_and_in_and_sql_shows_it(
    tutorial: Snowcave, session: Any, scratch: str, tmp_path: Path
):
    digest = copy_in(tutorial, scratch, tmp_path, "amd64/copy:v1")
    with session.cursor() as cursor:
        cursor.execute("SHOW IMAGES IN IMAGE REPOSITORY scratch")
        names = [column[0] for column in cursor.description]
        (row,) = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
    assert (row["image_name"], row["tags"], row["digest"]) == ("amd64/copy", "v1", digest)


@pytest.mark.ours
def test_skopeo_inspects_and_lists_tags(tutorial: Snowcave, scratch: str, tmp_path: Path):
    digest = copy_in(tutorial, scratch, tmp_path, "copy:v1")
    copy_in(tutorial, scratch, tmp_path, "copy:v2")
    options = ("--tls-verify=false", "--creds", credentials(tutorial))
    seen = json.loads(skopeo(tutorial, "inspect", *options, f"docker://{scratch}/copy:v1"))
    assert (seen["Digest"], seen["Architecture"]) == (digest, "amd64")
    listed = json.loads(skopeo(tutorial, "list-tags", *options, f"docker://{scratch}/copy"))
    assert listed["Tags"] == ["v1", "v2"]


@pytest.mark.documented
def test_a_dropped_repository_takes_its_images_with_it(
    tutorial: Snowcave, session: Any, tmp_path: Path
):
    session.cursor().execute("CREATE IMAGE REPOSITORY gone")
    path = f"{tutorial.mesh.registry_host}/tutorial_db/data_schema/gone"
    copy_in(tutorial, path, tmp_path, "copy:v1")
    session.cursor().execute("DROP IMAGE REPOSITORY gone")
    options = ("--tls-verify=false", "--creds", credentials(tutorial))
    with pytest.raises(AssertionError, match=r"(?i)name.?unknown|not known|not exist"):
        skopeo(tutorial, "inspect", *options, f"docker://{path}/copy:v1")


@pytest.mark.ours
def test_a_wrong_password_is_refused_at_login(tutorial: Snowcave):
    host = tutorial.mesh.registry_host
    command = tutorial.docker_command(
        "login", host, "-u", "other", "--password-stdin", config="docker-nobody"
    )
    with pytest.raises(AssertionError, match=r"(?i)unauthorized"):
        run(*command, stdin="not-the-password")


@pytest.mark.ours
def test_nothing_is_pulled_without_credentials(tutorial: Snowcave):
    tag = f"{tutorial.mesh.registry_host}/{IMAGE}"
    command = tutorial.docker_command("pull", "--quiet", tag, config="docker-nobody")
    with pytest.raises(AssertionError, match=r"(?i)unauthorized|no basic auth"):
        run(*command)


@pytest.mark.documented
def test_a_push_needs_a_repository(tutorial: Snowcave):
    host = tutorial.mesh.registry_host
    tag = f"{host}/tutorial_db/data_schema/no_such_repository/image:v1"
    tutorial.docker("tag", f"{host}/{IMAGE}", tag)
    with pytest.raises(AssertionError, match=r"(?i)no_such_repository|name unknown|not exist"):
        tutorial.docker("push", "--quiet", tag)


@pytest.mark.documented
def test_a_push_needs_write(tutorial: Snowcave, others: Any):
    host = tutorial.mesh.registry_host
    tag = f"{host}/{REPOSITORY}/of_another:v1"
    tutorial.docker("tag", f"{host}/{IMAGE}", tag)
    user, password = OTHER_USER["user"], OTHER_USER["password"]
    login = ("login", host, "-u", user, "--password-stdin")
    run(*tutorial.docker_command(*login, config="docker-other"), stdin=password)
    # READ is enough to pull.
    pull = ("pull", "--quiet", f"{host}/{IMAGE}")
    run(*tutorial.docker_command(*pull, config="docker-other"))
    with pytest.raises(AssertionError, match=r"(?i)denied"):
        run(*tutorial.docker_command("push", "--quiet", tag, config="docker-other"))
