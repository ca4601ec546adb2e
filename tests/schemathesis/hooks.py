"""No made-up address is ever called: before a request is sent, every URL in its body that leads to another machine is turned to a port of
this one where nobody listens. What is not a URL, or not one of http, stays as schemathesis thought it up."""

from urllib.parse import urlsplit

import schemathesis

NOBODY = "http://127.0.0.1:9/ocpi/versions"


@schemathesis.hook
def before_call(context, case, kwargs):
    case.body = stay_at_home(case.body)


def stay_at_home(value):
    if isinstance(value, dict):
        return {name: stay_at_home(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [stay_at_home(inner) for inner in value]
    if isinstance(value, str) and leads_away(value):
        return NOBODY
    return value


def leads_away(text):
    # The hub's reading of a URL may be more generous than Python's; whatever starts like one counts.
    if not text.strip().lower().startswith(("http:", "https:")):
        return False
    try:
        return urlsplit(text.strip()).hostname not in ("127.0.0.1", "localhost")
    except ValueError:
        return True
