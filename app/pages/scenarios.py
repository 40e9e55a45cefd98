from app.shell import Page
from app.components.parts import message
PAGE = Page("/scenarios", "nav.scenarios", "brain")
def layout(queries, **address):
    return message("soon", "soon")
def register(app, queries):
    pass
