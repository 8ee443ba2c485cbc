"""Templates are rendered in a process of their own, which no template can make costly."""

import pytest

from snowcave.api.rendering.render import Renderer, RenderSettings
from snowcave.model.errors import TemplateFailed

SETTINGS = RenderSettings(longest=10_000, deadline=30.0, cpu=2)


async def rendered(template: str, **values: tuple[str, bool]) -> str:
    return await Renderer(SETTINGS).render(template, values)


async def test_values_are_put_in_place_and_defaults_where_there_are_none() -> None:
    shown = await rendered(
        "i: {{ image }}\nn: {{ n | default(3) }}\ne: {{ empty | default('full', true) }}\n"
        "k: {{ empty | default('full') }}\nm: {{ map }}\nb: {{ flag }}\nh: {{ half }}\nCase: {{ Image }}\n",
        image=('"/d/s/r/i:1"', True),
        empty=("", True),
        map=('{"a": [1, "x"]}', True),
        flag=("TRUE", False),
        half=(r'"\ud800"', True),
        Image=("other", False),
    )
    assert shown == (
        'i: /d/s/r/i:1\nn: 3\ne: full\nk: \nm: {"a": [1, "x"]}\nb: true\nh: ?\nCase: other\n'
    )


@pytest.mark.parametrize(
    ("template", "why"),
    [
        ("a: {{ missing }}", "'missing' is undefined"),
        ("a: {{ unfinished", "TemplateSyntaxError"),
        ("# {{ % }}", "TemplateSyntaxError"),
        ("{{ value.__class__.__mro__ }}", "SecurityError"),
        ("{% include 'x' %}", "TemplateNotFound|no loader|TypeError"),
        ("{{ 'a' * 10000000000 }}", "memory"),
        ("{% for i in range(99999) %}{{ 'aaaaaaaaaaaaa' }}{% endfor %}", "longer than 10000"),
        ("{{ " + "(" * 3000 + "1" + ")" * 3000 + " }}", "too deeply|longer|SyntaxError"),
        ("x" * 10_001, "longer than 10000"),
    ],
)
async def test_templates_that_are_refused(template: str, why: str) -> None:
    with pytest.raises(TemplateFailed, match=why) as caught:
        await rendered(template, value=("x", True))
    assert caught.value.message.startswith("Unable to render service spec from given template: ")
    assert (caught.value.code, caught.value.sqlstate) == (395069, "23001")


async def test_a_template_that_never_ends_is_ended() -> None:
    loop = "{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}"
    with pytest.raises(TemplateFailed, match=r"too much time or memory|too long"):
        await rendered(loop)
