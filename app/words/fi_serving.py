"""Sanat: kirjautuminen, roolit ja työt suomeksi. Words in Finnish: signing in, roles, and how jobs end."""

from __future__ import annotations

JOBS: dict[str, str] = {
    "job.restarted": "kone tai sovellus käynnistettiin uudelleen; työ on taas jonossa",
    "job.kept.replications": "valmiita toistoja ei ajeta uudelleen",
    "job.kept.simulations": "valmiita simulointeja ei ajeta uudelleen",
    "job.kept.steps": "valmiita vaiheita ei tehdä uudelleen",
    "job.kept.models": "tallennetut mallit jäävät; muut koulutetaan alusta",
    "job.kept.nothing": "se ajetaan alusta",
}

SERVING: dict[str, str] = {
    "role.viewer": "katsoja",
    "role.planner": "suunnittelija",
    "role.admin": "ylläpitäjä",
    "role.need": "Tarvitsee roolin {role}",
    "role.note": "Roolisi on {role}. Se, mitä roolisi ei salli, on tällä sivulla pois käytöstä.",
    "signin.title": "Kirjaudu",
    "signin.lead": "Kaupunkisi liikenteen ja ilman ennusteet ja suunnitelmat.",
    "signin.name": "Nimi",
    "signin.password": "Salasana",
    "signin.button": "Kirjaudu",
    "signin.wrong": "Nimi ja salasana eivät sovi yhteen.",
    "signin.wait": "Liian monta yritystä. Yritä uudelleen {seconds} s kuluttua.",
    "signin.stale": "Lomake oli liian vanha. Kirjaudu uudelleen.",
    "signin.out": "Kirjaudu ulos",
    "signin.as": "Kirjautunut: {name}, {role}",
    "serving.signin": "Kirjaudu ensin.",
    "serving.admin": "Tämä on ylläpitäjälle tai tämän koneen ohjelmalle.",
    "serving.proxy": "Sovelluksen edessä oleva välityspalvelin ei kertonut, kuka olet.",
    "serving.forbidden": "Tähän tarvitaan rooli {role}; sinun on {own}.",
    "serving.unknown": "Sovellus ei tunne tällaista pyyntöä.",
    "serving.malformed": "Pyyntö on vioittunut: se ei ole sellainen, jonka sovelluksen sivu lähettää.",
    "serving.no.zone": "Täällä ei ole vyöhykettä ”{zone}”.",
    "serving.failed": "Jokin meni vikaan. Kerro sovelluksen ylläpitäjälle numero {id}.",
    "upload.error.content": "{name}: sisältö on vioittunut tai muuta kuin nimi sanoo.",
    "upload.error.doctype": "{name}: XML, jossa on dokumenttityyppi, ei kelpaa; poista rivi <!DOCTYPE ...>.",
    "upload.error.unpacked": "{name}: purettuna tämä on yli {most}; tuo se komentoriviltä.",
}
