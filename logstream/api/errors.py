"""Errors that only the HTTP edge can raise: about the request, not about LogStream."""

from logstream.core.errors import BadRequest


class BodyTimeout(BadRequest):
    """The sender stopped sending in the middle of a body."""

    code = "body_timeout"
    http_status = 408


class BodyCutOff(BadRequest):
    """The sender went away in the middle of a body. Nobody reads this answer."""

    code = "body_cut_off"


class KeyMismatch(BadRequest):
    """An Idempotency-Key that was used for another request."""

    code = "idempotency_mismatch"
    http_status = 422


class KeyInUse(BadRequest):
    """An Idempotency-Key whose first request has not ended yet."""

    code = "idempotency_in_use"
    http_status = 409
    retryable = True


class UnsupportedMediaType(BadRequest):
    """A Content-Type, or a charset, that this call does not take."""

    code = "unsupported_media_type"
    http_status = 415


class MethodNotAllowed(BadRequest):
    """Never raised by us: what a framework's 405 is reported as."""

    code = "method_not_allowed"
    http_status = 405


class NotAcceptable(BadRequest):
    """An Accept header that names nothing that the answer can be written as."""

    code = "not_acceptable"
    http_status = 406
