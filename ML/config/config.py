"""Every setting, read once. Nothing else reads the environment (except libraries: OMP_*, OTEL_*, PROMETHEUS_*)."""

import secrets
import sys
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import joblib
from pydantic import Field, SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from ML.config import environment, mistakes, vertex
from ML.config.setting_types import (
    PROTOCOLS,
    Hosts,
    Lower,
    Names,
    Networks,
    Origins,
    Prefix,
    Protocols,
    Route,
    UserName,
)

ROOT = environment.ROOT


class Settings(BaseSettings):
    """The settings. Each is an environment variable: the field's name in capitals."""

    model_config = SettingsConfigDict(env_ignore_empty=True, extra="ignore", frozen=True)

    host: str = Field("127.0.0.1", description="Address to listen on")
    port: int = Field(8000, ge=1, le=65535, description="Port to listen on")
    web_concurrency: int | None = Field(
        None, ge=1, le=512, description="Number of worker processes; by default, one per available CPU"
    )
    graceful_timeout: int = Field(30, ge=1, description="Seconds that accepted requests have to finish after SIGTERM")
    shutdown_delay: int = Field(
        0, ge=0, description="Seconds to keep serving after SIGTERM while `/health/ready` returns 503"
    )

    service_user: UserName = Field("admin", description="User with full access")
    service_pass: SecretStr = Field(
        default_factory=lambda: SecretStr(secrets.token_urlsafe(12)),
        description="Password of that user; by default, generated and printed at start",
    )
    predict_user: UserName = Field(
        "predictor", description="User who may predict and read, but not train, promote or delete"
    )
    predict_pass: SecretStr | None = Field(None, description="Password of that user; unset disables the user")
    docs_public: bool = Field(True, description="Whether `/docs` and `/openapi.json` need no credentials")
    root_path: Prefix = Field("", description="Path prefix under which a proxy serves the API, such as `/ml`")
    cors_origins: Origins = Field((), description="Origins whose pages may call the API, separated by commas")
    allowed_hosts: Hosts = Field(
        (),
        description="Host names to accept besides loopback names, separated by commas; `*` accepts any; "
        "unset accepts any, unless `HOST` is a loopback address",
    )
    forwarded_allow_ips: Networks = Field(
        ("127.0.0.1", "::1"),
        description="Addresses or networks of proxies whose `X-Forwarded-For` is trusted, separated by commas; "
        "`*` trusts any",
    )
    max_body_mb: int = Field(200, ge=1, description="Largest request body in MiB, before and after decompression")
    max_rows: int = Field(1_000_000, ge=1, description="Maximum number of rows in a request")
    max_queue_ms: int = Field(
        5000, ge=1, description="Milliseconds that a prediction may take; one expected to take longer gets 503 at once"
    )
    max_queue_rows: int = Field(
        2_000_000, ge=1, description="Maximum number of rows that wait in a worker; a request beyond it gets 503"
    )
    read_timeout: int = Field(
        60, ge=1, description="Seconds that a client has to send its request, headers and body; after that, 408"
    )
    write_timeout: int = Field(
        60,
        ge=1,
        description="Seconds that a client has to read 16 KB of a response, or the rest; after that, it is cut off",
    )
    max_connections: int = Field(
        1000, ge=1, description="Maximum number of connections of a worker; for one more, an idle one is closed"
    )
    batch_max_rows: int = Field(
        1000, ge=1, description="Maximum number of rows in one call of the model, shared by several requests"
    )

    default_model: str = Field("classifier", description="Model of the routes that don't name one")
    models_dir: Path = Field(ROOT / "ML" / "saved_models", description="Folder of the model store")
    bootstrap: bool = Field(True, description="Whether to train the sample models at start where there is no version")
    holdout: float = Field(0.2, gt=0, lt=1, description="Share of the rows that is held out to score a version")
    keep_versions: int = Field(
        5, ge=1, description="Number of newest versions to keep; the live version and the one before it are always kept"
    )
    training: bool = Field(True, description="Whether this server trains; `off` for replicas that only serve")
    train_timeout: int = Field(
        3600, ge=1, le=10**7, description="Seconds after which a training started by a request is stopped"
    )
    gate_tolerance: float = Field(
        0.01,
        ge=0,
        allow_inf_nan=False,
        description="Largest drop in score, compared with the live version, at which a new version still goes live; "
        "a drop that may be chance is ignored",
    )
    training_threads: int = Field(
        1, ge=1, description="Threads of a training; more help above 10,000 rows, if CPUs are idle"
    )
    allow_joblib: bool = Field(
        False, description="Whether models that skops can't save may be saved and loaded with joblib, which is pickle"
    )
    trusted_types: Names = Field(
        (), description="Additional types to accept in skops files, such as `mypackage.MyModel`, separated by commas"
    )

    runtime: Annotated[Literal["auto", "sklearn"], Lower] = Field(
        "auto",
        description="`auto` compiles models and serves the compiled form if it is proven equal; `sklearn` never does",
    )

    protocols: Protocols = Field(
        PROTOCOLS, description="Platform protocols to serve besides the API, separated by commas, or `none`"
    )
    open_protocols: Protocols = Field(
        (), description="Protocols that need no credentials, because the platform in front checks them"
    )

    aip_http_port: int | None = Field(
        None, ge=1, le=65535, description="Port to listen on, set by Vertex AI; `PORT` wins"
    )
    aip_health_route: Route = Field("", description="Path of the health check, set by Vertex AI")
    aip_predict_route: Route = Field("", description="Path of the predictions, set by Vertex AI")
    aip_storage_uri: str = Field(
        "",
        description="Folder of the model store, set by Vertex AI; the server then doesn't train; `MODELS_DIR` wins",
    )

    log_file: Path | None = Field(None, description="File to log to besides stdout; `make run` sets `ML_server.log`")
    log_level: Annotated[Literal["debug", "info", "warning", "error"], Lower] = Field(
        "info", description="Lowest level to log: debug, info, warning or error"
    )
    log_format: Annotated[Literal["text", "json"], Lower] = Field(
        "text", description="Format of log lines: `text`, or `json` with one object a line"
    )

    @model_validator(mode="before")
    @classmethod
    def _platform(cls, given: dict[str, Any]) -> dict[str, Any]:
        return vertex.defaults(given) | given

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.service_user == self.predict_user and self.predict_pass:
            raise ValueError("PREDICT_USER must be another than SERVICE_USER: the name decides what the user may do")
        if not (ROOT / "ML" / "src" / f"{self.default_model}.py").is_file():
            raise ValueError(f"DEFAULT_MODEL names no file of ML/src: {self.default_model}")
        return self

    @property
    def workers(self) -> int:
        """Number of worker processes: WEB_CONCURRENCY, or one for each CPU that the container may use."""
        return self.web_concurrency or joblib.cpu_count()

    @property
    def max_body_bytes(self) -> int:
        """Largest request body in bytes."""
        return self.max_body_mb * 1024 * 1024

    @property
    def password_generated(self) -> bool:
        """Whether SERVICE_PASS is unset, so that the password was generated."""
        return "service_pass" not in self.model_fields_set


@lru_cache
def settings() -> Settings:
    """Return the settings of this process and its forks. Exit with one plain line if one is wrong."""
    try:
        found = Settings(_env_file=environment.env_file())
        problem = mistakes.misspelt(environment.names(), map(str.upper, Settings.model_fields))
    except ValidationError as error:
        problem = mistakes.wrong_values(error)
    except (OSError, UnicodeDecodeError) as error:
        sys.exit(environment.unreadable(error))
    if problem:
        sys.exit(f"Wrong setting. {problem}")
    return found
