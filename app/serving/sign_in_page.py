"""The sign-in page: plain HTML in the app's look, which needs neither Dash nor a script."""

from __future__ import annotations

from markupsafe import escape

from app.texts import language, t

_PAGE = """<!DOCTYPE html>
<html lang="{language}" data-mantine-color-scheme="light">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title} · {product}</title>
<link rel="icon" href="data:,">
<script src="/assets/session.js"></script>
<link rel="stylesheet" href="/assets/zonewise.css">
</head>
<body class="sign-in">
<main>
<div class="brand-row"><div class="logo" aria-hidden="true"></div><strong>{product}</strong></div>
<h1>{title}</h1>
<p class="quiet">{lead}</p>
{fault}
<form method="post" action="/sign-in">
<input type="hidden" name="token" value="{token}">
<input type="hidden" name="next" value="{after}">
<label for="name">{name_label}</label>
<input id="name" name="name" value="{name}" autocomplete="username" autocapitalize="none" spellcheck="false"
 maxlength="64" required{name_focus}>
<label for="password">{password_label}</label>
<input id="password" name="password" type="password" autocomplete="current-password" maxlength="256"
 required{password_focus}>
<button class="button primary" type="submit">{button}</button>
</form>
</main>
</body>
</html>"""


def sign_in_page(*, token: str, after: str = "/", name: str = "", fault: str = "") -> str:
    """The page as HTML.

    Parameters
    ----------
    token : str
        That the form brings back, and the browser's cookie too.
    after : str
        Address to go to when signed in.
    name : str
        As typed before.
    fault : str
        Why the last try failed.
    """
    said = f'<p class="fault" role="alert" id="fault">{escape(fault)}</p>' if fault else ""
    described = ' aria-describedby="fault" aria-invalid="true"' if fault else ""
    return _PAGE.format(
        language=language(), title=escape(t("signin.title")), product=escape(t("product")),
        lead=escape(t("signin.lead")), fault=said,
        token=escape(token), after=escape(after), name=escape(name), name_label=escape(t("signin.name")),
        password_label=escape(t("signin.password")), button=escape(t("signin.button")),
        name_focus="" if name else " autofocus", password_focus=f"{described} autofocus" if name else described,
    )  # fmt: skip


def inner_address(text: str) -> str:
    """An address within the app; the map for anything that could lead elsewhere."""
    fine = text.startswith("/") and not text.startswith(("//", "/\\", "/sign-")) and "\\" not in text
    return text if fine and text.isprintable() and " " not in text and len(text) <= 2000 else "/"
