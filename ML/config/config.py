"""Every setting, read from the environment once. Nothing else reads it (but OMP_*, OTEL_* and PROMETHEUS_*)."""

import os
import re
import secrets
import sys
from difflib import get_close_matches
from functools import lru_cache
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import joblib
from pydantic import AfterValidator, Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

ROOT = Path(__file__).parents[2]


def _printable(text: str) -> str:
    if not text.isprintable():
        raise ValueError("must not hold control characters")
    return text


Names = Annotated[tuple[str, ...], NoDecode]
"""Names separated by commas."""

Route = Annotated[str, Field(pattern=r"^(/[\w.~:@/-]*)?$")]
"""A path without parameters."""

HOST_NAME = r"\*|(\*?\.)?[\w-]+(\.[\w-]+)*\.?|\[[\da-fA-F:.]+\]"
"""An IPv6 address has brackets, as in the Host header; `.example.org` and `*.example.org` are names below that one."""

PROTOCOLS = ("oip", "kserve", "sagemaker", "vertex", "mlflow")


class Settings(BaseSettings):
    """The settings, one environment variable each: the field's name in capitals."""

    model_config = SettingsConfigDict(env_ignore_empty=True, extra="ignore", frozen=True)

    host: str = Field("127.0.0.1", description="Address to listen on")
    port: int = Field(8000, ge=1, le=65535, description="Port to listen on")
    web_concurrency: int | None = Field(
        None, ge=1, le=512, description="Worker processes; one for each CPU of the quota when unset"
    )
    graceful_timeout: int = Field(30, ge=1, description="Seconds that accepted requests have to finish after SIGTERM")
    shutdown_delay: int = Field(
        0, ge=0, description="Seconds after SIGTERM that all is still served but `/health/ready`, which says 503"
    )

    service_user: Annotated[str, AfterValidator(_printable)] = Field(
        "admin", min_length=1, description="User of the API"
    )
    service_pass: SecretStr = Field(
        default_factory=lambda: SecretStr(secrets.token_urlsafe(12)),
        description="Password of the API; made up and printed at start when unset",
    )
    predict_user: Annotated[str, AfterValidator(_printable)] = Field(
        "predictor", min_length=1, description="User who may predict and read, but not train, promote or delete"
    )
    predict_pass: SecretStr | None = Field(None, description="Password of that user; there is no such user when unset")
    docs_public: bool = Field(True, description="Whether `/docs` and `/openapi.json` answer without credentials")
    root_path: str = Field("", description="Path prefix under which a proxy serves the API, such as `/ml`")
    cors_origins: Names = Field((), description="Origins whose pages may call the API, separated by commas")
    allowed_hosts: Names = Field(
        (),
        description="Host names to answer to besides loopback names, separated by commas; `*` for any; "
        "unset means any, unless `HOST` is a loopback address",
    )
    forwarded_allow_ips: Names = Field(
        ("127.0.0.1", "::1"),
        description="Addresses or networks of proxies whose `X-Forwarded-For` is believed, separated by commas; "
        "`*` for any",
    )
    max_body_mb: int = Field(200, ge=1, description="Largest request body in MiB, also after gunzip")
    max_rows: int = Field(1_000_000, ge=1, description="Most rows in one request")
    max_queue_ms: int = Field(
        5000, ge=1, description="Milliseconds in which a prediction must be answered, or it is refused at once with 503"
    )
    max_queue_rows: int = Field(
        2_000_000, ge=1, description="Most rows that wait in a worker for the model; more are refused with 503"
    )
    read_timeout: int = Field(
        60, ge=1, description="Seconds in which a client must have sent its request, head and body; then 408"
    )
    write_timeout: int = Field(
        60, ge=1, description="Seconds in which a client must take 16 KB of its answer, or the rest; then it is cut off"
    )
    max_connections: int = Field(
        1000, ge=1, description="Most connections of a worker; at more, one that is idle is closed"
    )
    batch_max_rows: int = Field(1000, ge=1, description="Most rows in one call of the model, whose callers share it")

    default_model: str = Field("classifier", description="Model that routes without a model's name use")
    models_dir: Path = Field(ROOT / "ML" / "saved_models", description="Folder of the versions")
    bootstrap: bool = Field(True, description="Whether sample models are trained at start where there is none")
    holdout: float = Field(0.2, gt=0, lt=1, description="Share of the rows that is held out to score a version")
    keep_versions: int = Field(
        5, ge=1, description="Newest versions of a model that are kept; the live one and the one before it always are"
    )
    training: bool = Field(True, description="Whether this server trains; `off` for replicas that only serve")
    train_timeout: int = Field(
        3600, ge=1, le=10**7, description="Seconds after which a training that a request began is ended"
    )
    gate_tolerance: float = Field(
        0.01,
        ge=0,
        allow_inf_nan=False,
        description="How much worse than the live version a new one may score, beyond chance, and still go live",
    )
    training_threads: int = Field(
        1, ge=1, description="Threads of a training; more pay above 10,000 rows, on idle CPUs"
    )
    allow_joblib: bool = Field(
        False, description="Whether models that skops can't save may be pickled with joblib, and such files loaded"
    )
    trusted_types: Names = Field(
        (), description="Further types that a skops file may hold, such as `mypackage.MyModel`, separated by commas"
    )

    runtime: Literal["auto", "sklearn"] = Field(
        "auto", description="`auto` compiles models and serves them so where that is proven equal; `sklearn` never does"
    )

    protocols: Names = Field(
        PROTOCOLS, description="Platforms' protocols that are served beside the API, separated by commas, or `none`"
    )
    open_protocols: Names = Field(
        (), description="Those that answer without credentials, because the platform in front has asked for them"
    )

    aip_http_port: int | None = Field(
        None, ge=1, le=65535, description="Port to listen on, as Vertex AI sets it; `PORT` wins"
    )
    aip_health_route: Route = Field("", description="Path of the health check, as Vertex AI sets it")
    aip_predict_route: Route = Field("", description="Path of the predictions, as Vertex AI sets it")
    aip_storage_uri: str = Field(
        "", description="Folder of the versions, as Vertex AI sets it; it serves and does not train; `MODELS_DIR` wins"
    )

    log_file: Path | None = Field(None, description="File that gets the log lines too; `make run` sets `ML_server.log`")
    log_level: str = Field(
        "info", pattern="^(debug|info|warning|error)$", description="Least level logged: debug, info, warning or error"
    )
    log_format: Literal["text", "json"] = Field("text", description="Log lines as text, or as JSON, one object a line")

    @field_validator(
        "cors_origins", "allowed_hosts", "forwarded_allow_ips", "trusted_types", "protocols", "open_protocols",
        mode="before",
    )  # fmt: skip
    @classmethod
    def _split(cls, value: object) -> object:
        return tuple(filter(None, map(str.strip, value.split(",")))) if isinstance(value, str) else value

    @field_validator("allowed_hosts")
    @classmethod
    def _hosts(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        if wrong := [name for name in names if not re.fullmatch(HOST_NAME, name)]:
            raise ValueError(f"{wrong[0]} is not a host name such as ml.example.org, without scheme, port and path")
        return names

    @field_validator("forwarded_allow_ips")
    @classmethod
    def _networks(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        for name in names:
            if name != "*":
                ip_network(name)  # raises ValueError, which names it
        return names

    @field_validator("protocols", "open_protocols")
    @classmethod
    def _known(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        names = () if names == ("none",) else tuple(map(str.lower, names))
        if unknown := [name for name in names if name not in PROTOCOLS]:
            raise ValueError(f"{unknown[0]} is not a protocol; there are {', '.join(PROTOCOLS)}")
        return names

    @model_validator(mode="before")
    @classmethod
    def _platform(cls, given: dict[str, Any]) -> dict[str, Any]:
        """What Vertex AI says, where nobody said otherwise."""
        if given.get("aip_http_port"):
            given = {"port": given["aip_http_port"]} | given
        if given.get("aip_storage_uri") and "models_dir" not in given:
            given = {"models_dir": _mounted(given["aip_storage_uri"]), "training": False} | given
        return given

    @field_validator("log_level", "log_format", "runtime", mode="before")
    @classmethod
    def _lower(cls, value: object) -> object:
        return value.lower() if isinstance(value, str) else value

    @model_validator(mode="after")
    def _check(self) -> Self:
        for name in ("service_user", "predict_user"):
            if ":" in getattr(self, name):
                raise ValueError(f"{name.upper()} must not hold a colon: basic auth could not send it")
        if self.service_user == self.predict_user and self.predict_pass:
            raise ValueError("PREDICT_USER must be another than SERVICE_USER: the name says what one may do")
        if self.root_path and (not self.root_path.startswith("/") or self.root_path.endswith("/")):
            raise ValueError("ROOT_PATH must start with a slash and not end with one, such as /ml")
        if wrong := [origin for origin in self.cors_origins if not re.fullmatch(r"\*|https?://[^/\s]+", origin)]:
            raise ValueError(f"CORS_ORIGINS must be origins such as https://example.org, without a path: {wrong[0]}")
        if not (ROOT / "ML" / "src" / f"{self.default_model}.py").is_file():
            raise ValueError(f"DEFAULT_MODEL names no file of ML/src: {self.default_model}")
        return self

    @property
    def workers(self) -> int:
        """Worker processes: as told, or one for each CPU that the container may use."""
        return self.web_concurrency or joblib.cpu_count()

    @property
    def max_body_bytes(self) -> int:
        """Largest request body in bytes."""
        return self.max_body_mb * 1024 * 1024

    @property
    def password_generated(self) -> bool:
        """Whether nobody set a password, so that the one in use was made up."""
        return "service_pass" not in self.model_fields_set


def _mounted(uri: str) -> Path:
    """The folder of a URI: a path, file:// or gs://, whose buckets are mounted below /gcs. Raises ValueError."""
    folder = Path(re.sub("^gs://", "/gcs/", uri.removeprefix("file://")))
    if folder.is_dir():
        return folder
    remedy = "mount it there" if uri.startswith("gs://") else "name a folder"
    raise ValueError(
        f"AIP_STORAGE_URI is {uri}, but {folder} is no folder; {remedy}, or set MODELS_DIR, or leave the model's "
        "artifacts out and put its versions into the image"
    )


def _misspelt() -> str | None:
    """A variable that looks like a setting and is none, with what was probably meant."""
    known = [name.upper() for name in Settings.model_fields]
    long = [name for name in known if len(name) > 5]
    for name in set(os.environ).difference(known):
        if meant := get_close_matches(name, long, 1, cutoff=0.85):
            return f"{name} is not a setting; did you mean {meant[0]}?"
    return None


def _plain(error: ErrorDetails) -> str:
    name = f"{str(error['loc'][0]).upper()}: " if error["loc"] else ""
    value = "" if isinstance(error["input"], dict) else f" (it is {str(error['input'])[:80]!r})"
    return f"{name}{error['msg'].removeprefix('Value error, ')}{value}"


@lru_cache
def settings() -> Settings:
    """The settings of this process and of those forked from it. A wrong one ends it with one plain line."""
    try:
        found = Settings()
    except ValidationError as error:
        sys.exit("Wrong setting. " + "; ".join(map(_plain, error.errors())))
    if problem := _misspelt():
        sys.exit(f"Wrong setting. {problem}")
    return found
