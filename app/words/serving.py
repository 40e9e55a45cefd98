"""Words of serving: signing in and out, roles, refusals, and what is wrong with an upload."""

from __future__ import annotations

EN: dict[str, str] = {
    "role.viewer": "viewer",
    "role.planner": "planner",
    "role.admin": "admin",
    "role.need": "Needs the role {role}",
    "role.note": "You are signed in as {role}. What your role may not do is switched off on this page.",
    "signin.title": "Sign in",
    "signin.lead": "Forecasts and plans of your city's traffic and air.",
    "signin.name": "Name",
    "signin.password": "Password",
    "signin.button": "Sign in",
    "signin.wrong": "Name and password do not fit together.",
    "signin.wait": "Too many tries. Try again in {seconds} s.",
    "signin.stale": "This form was too old. Please sign in again.",
    "signin.out": "Sign out",
    "signin.as": "Signed in as {name}, {role}",
    "upload.error.content": "{name}: the content is damaged, or not what the name says.",
    "upload.error.doctype": "{name}: XML with a document type is not taken; remove the line <!DOCTYPE ...>.",
    "upload.error.unpacked": "{name}: unpacked, this is more than {most}; import it from the command line instead.",
    "serving.signin": "Please sign in.",
    "serving.admin": "This is for an admin, or for a program on this machine.",
    "serving.proxy": "The proxy in front of this app did not say who you are.",
    "serving.forbidden": "This needs the role {role}; yours is {own}.",
    "serving.unknown": "This request is not one that the app knows.",
    "serving.malformed": "This request is damaged: it is not what a page of this app sends.",
    "serving.no.zone": "There is no zone “{zone}” here.",
    "serving.failed": "Something went wrong here. Tell whoever runs this app the number {id}.",
}
