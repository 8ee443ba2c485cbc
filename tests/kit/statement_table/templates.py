"""Templates of specifications, and specifications on stages."""

import re

from tests.kit.statement_table.records import (
    DONE,
    Columns,
    Family,
    Refused,
    documented,
    one,
    ours,
    some,
    status,
    validated,
)
from tests.kit.statement_table.specifications import IMAGE

_live = validated("terraform-provider-snowflake and user reports of template errors")
_cli = validated("the statements that snow CLI 3.30 sends")
_POOL = "IN COMPUTE POOL template_pool"
_PLAIN = f"spec:\n  containers:\n  - name: main\n    image: {IMAGE}\n"
_TEMPLATE = (
    _PLAIN + "    env:\n      WHO: {{ who }}\n      KEPT: {{ kept | default('fallback') }}\n"
)


def _failed(text: str = "Unable to render service spec from given template") -> Refused:
    return Refused(395069, "23001", text)


def _template(text: str, using: str, name: str = "x") -> str:
    return (
        f"CREATE SERVICE {name} {_POOL} FROM SPECIFICATION_TEMPLATE $$\n{text}\n$$ USING ({using})"
    )


def _env(name: str, value: str) -> re.Pattern[str]:
    return re.compile(rf"(?s).*\n *{name}: {value}\n.*")


STATEMENTS = [
    documented(
        "CREATE COMPUTE POOL template_pool MIN_NODES=1 MAX_NODES=1 INSTANCE_FAMILY=CPU_X64_XS "
        "INITIALLY_SUSPENDED=TRUE",
        status("Compute pool TEMPLATE_POOL successfully created."),
    ),
    _live(_template(_TEMPLATE, "kept => 1"), _failed()),
    _live(_template(_PLAIN + "# {{ unclosed", "who => 1"), _failed()),
    _live(_template(_PLAIN + "# {% if %}", "who => 1"), _failed()),
    documented(
        f"CREATE SERVICE x {_POOL} FROM SPECIFICATION $$\n{_TEMPLATE}\n$$ USING (kept => 1)",
        _failed(),
    ),
    documented(
        _template("spec: {{ whole }}", "whole => '{\"containers\": []}'"),
        Refused(395018, "22023", "missing 'containers' for 'spec'"),
    ),
    documented(
        _template(_PLAIN + "    args: {{ args }}", "args => 'not a list'"),
        Refused(395018, "22023", "'args' in"),
    ),
    documented(
        _template(_PLAIN + "    {{ key }}: 1", "key => '\"unheard\"'"),
        Refused(395018, "22023", "unknown option 'unheard'"),
    ),
    documented(
        f"CREATE SERVICE x {_POOL} FROM SPECIFICATION $$\n{_PLAIN}    args: {{{{ a }}}}\n$$",
        Refused(395018, "22023", re.compile("Invalid spec")),
    ),
    documented(
        "CREATE STAGE specs DIRECTORY = (ENABLE = TRUE)",
        status("Stage area SPECS successfully created."),
    ),
    _cli(
        "create stage if not exists IDENTIFIER('specs')",
        status("SPECS already exists, statement succeeded."),
    ),
    _cli(
        "put file://{folder}/bad.yml @specs auto_compress=false parallel=4 overwrite=True",
        some(source="bad.yml", target="bad.yml", status="UPLOADED"),
    ),
    _cli(
        "put file://{folder}/template.yml @specs/deep/er/ auto_compress=false overwrite=True",
        some(source="template.yml", status="UPLOADED"),
    ),
    _cli(
        f"CREATE SERVICE x\n{_POOL}\nFROM @specs\nSPECIFICATION_FILE = 'bad.yml'",
        Refused(395018, "22023", "unknown option 'replicas' for 'spec'"),
    ),
    documented(
        f"CREATE SERVICE x {_POOL} FROM @specs SPEC='bad.yml'",
        Refused(395018, "22023", "unknown option 'replicas' for 'spec'"),
    ),
    documented(
        f"CREATE SERVICE x {_POOL} FROM @templates.public.specs SPECIFICATION_FILE='/bad.yml'",
        Refused(395018, "22023", "unknown option 'replicas' for 'spec'"),
    ),
    documented(
        f"CREATE SERVICE x {_POOL} FROM @specs SPEC=bad.yml",
        Refused(395018, "22023", "unknown option 'replicas' for 'spec'"),
    ),
    documented(
        f"CREATE SERVICE x {_POOL} FROM @specs/deep SPECIFICATION_TEMPLATE_FILE='er/template.yml' "
        "USING (other => 1)",
        _failed(),
    ),
    ours(
        f"CREATE SERVICE x {_POOL} FROM @specs SPECIFICATION_FILE='none.yml'",
        Refused(91016, "22000", "none.yml"),
    ),
    _live(
        f"CREATE SERVICE x {_POOL} FROM @nowhere SPECIFICATION_TEMPLATE_FILE='t.yml' USING (a => 1)",
        Refused(395069, "23001", "NOWHERE"),
    ),
    documented(
        f"CREATE SERVICE from_stage MIN_INSTANCES=1 {_POOL} FROM @specs/deep/er "
        "SPECIFICATION_TEMPLATE_FILE='template.yml' USING (who => 'it', \"Flag\" => true)",
        status("Service FROM_STAGE successfully created."),
    ),
    documented(
        "DESC SERVICE from_stage",
        one(spec=_env("WHO", '"?it"?')),
        one(spec=_env("KEPT", '"?fallback"?')),
        one(spec=_env("FLAG", '"?true"?')),
    ),
    documented("DROP SERVICE from_stage", status("FROM_STAGE successfully dropped.")),
    _cli(
        "ls @specs",
        Columns("name size md5 last_modified"),
        some(name="specs/bad.yml"),
        some(name="specs/deep/er/template.yml"),
    ),
    documented("ALTER COMPUTE POOL template_pool STOP ALL", DONE),
    documented("DROP COMPUTE POOL template_pool", status("TEMPLATE_POOL successfully dropped.")),
]
FAMILIES = [
    Family(
        "templates",
        STATEMENTS,
        files={
            "bad.yml": _PLAIN + "  replicas: 2\n",
            "template.yml": _TEMPLATE + "      FLAG: {{ Flag }}\n",
        },
    )
]
