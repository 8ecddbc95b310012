"""Settings: an impossible or misspelt one stops the start with one plain line that contains no secret."""

import re
import subprocess
import sys

import pytest

from ML.config import environment
from ML.config.config import ROOT, Settings, settings

PAGE = ROOT / "docs" / "settings.md"
NO_FILE = {"PYTHON_DOTENV_DISABLED": "true"}


@pytest.fixture
def configure(monkeypatch):
    """Return the settings of an environment with only these variables: `configure(PORT="80")`."""
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)

    def read(**environment):
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        settings.cache_clear()
        return settings()

    yield read
    monkeypatch.undo()
    settings.cache_clear()


@pytest.fixture
def refusal(configure):
    """Return the line that a start with these settings ends with."""

    def read(**environment):
        with pytest.raises(SystemExit) as caught:
            configure(**environment)
        return caught.value.code

    return read


IMPOSSIBLE = {
    "PORT": ["0", "65536", "80.5", "http", "-1"],
    "WEB_CONCURRENCY": ["0", "many", "513"],
    "GRACEFUL_TIMEOUT": ["0", "soon"],
    "SERVICE_USER": ["a:b", "line\nbreak", "tab\t"],
    "DOCS_PUBLIC": ["perhaps", "2"],
    "ROOT_PATH": ["ml", "/ml/", "/"],
    "CORS_ORIGINS": ["example.com", "http://a.org/"],
    "ALLOWED_HOSTS": ["http://a.org", "a.org:80", "a.org/x", "a b", "*.*", "..a.org", "a*", "::1"],
    "FORWARDED_ALLOW_IPS": ["proxy.example", "10.0.0.1/8", "10.0.0.256", "10.0.0.0/33"],
    "MAX_BODY_MB": ["0", "1e3", "lots"],
    "MAX_ROWS": ["0", "-5"],
    "BOOTSTRAP": ["maybe"],
    "HOLDOUT": ["0", "1", "20%", "nan", "-0.1"],
    "KEEP_VERSIONS": ["0", "all"],
    "TRAINING": ["sometimes"],
    "TRAIN_TIMEOUT": ["0", "1h", "1.5"],
    "GATE_TOLERANCE": ["-0.1", "nan", "inf", "5%"],
    "TRAINING_THREADS": ["0", "x"],
    "ALLOW_JOBLIB": ["sometimes"],
    "LOG_LEVEL": ["loud", "infos"],
    "LOG_FORMAT": ["xml"],
    "SHUTDOWN_DELAY": ["-1", "soon"],
    "PREDICT_USER": ["a:b", "line\nbreak"],
    "MAX_QUEUE_MS": ["0", "1s"],
    "MAX_QUEUE_ROWS": ["0"],
    "READ_TIMEOUT": ["0", "none"],
    "MAX_CONNECTIONS": ["0"],
}


@pytest.mark.parametrize(("name", "wrong"), [(name, value) for name in IMPOSSIBLE for value in IMPOSSIBLE[name]])
def test_an_impossible_value_is_one_plain_line_that_names_it(refusal, name, wrong):
    line = refusal(**{name: wrong})
    assert line.startswith("Wrong setting. ") and name in line.upper() and "\n" not in line


def test_both_users_can_not_have_one_name(refusal):
    assert "PREDICT_USER must be another" in refusal(PREDICT_USER="admin", PREDICT_PASS="x")


def test_several_mistakes_are_reported_in_one_line(refusal):
    line = refusal(PORT="x", HOLDOUT="2")
    assert "PORT: " in line and "; HOLDOUT: " in line and "\n" not in line


@pytest.mark.parametrize(
    ("misspelt", "meant"),
    [("SERVICE_PASSWORD", "SERVICE_PASS"), ("SERVICE_PAS", "SERVICE_PASS"), ("MODEL_DIR", "MODELS_DIR"),
     ("ROOTPATH", "ROOT_PATH"), ("MAX_BODY_MBS", "MAX_BODY_MB"), ("WEB_CONCURENCY", "WEB_CONCURRENCY"),
     ("CORS_ORIGIN", "CORS_ORIGINS"), ("SERVICE_USERNAME", "SERVICE_USER")],
)  # fmt: skip
def test_a_misspelt_name_is_one_plain_line_with_the_right_one(refusal, misspelt, meant):
    assert refusal(**{misspelt: "?"}) == f"Wrong setting. {misspelt} is not a setting; did you mean {meant}?"


OTHERS = [
    "HOSTNAME",
    "REPORT",
    "SERVICE_PORT",
    "KUBERNETES_SERVICE_HOST",
    "LOGNAME",
    "SM_MODEL_DIR",
    "AIP_PROJECT_NUMBER",
]


@pytest.mark.parametrize("name", OTHERS)
def test_a_variable_of_something_else_is_no_misspelt_setting(configure, name):
    configure(**{name: "x"})


def test_a_start_under_a_wrong_setting_ends_with_that_line_and_code_1():
    command = [sys.executable, "-m", "ML.training", "--bootstrap"]
    found = subprocess.run(command, cwd=ROOT, env={"PORT": "x", **NO_FILE}, capture_output=True, text=True, check=False)
    assert (found.returncode, found.stdout, found.stderr.count("\n")) == (1, "", 1)


def test_a_default_model_that_there_is_not_stops_the_start(tmp_path):
    command = [sys.executable, "-m", "ML.training", "--bootstrap"]
    environment = {"DEFAULT_MODEL": "clasifier", "MODELS_DIR": str(tmp_path), **NO_FILE}
    found = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert found.returncode == 1 and "clasifier" in found.stderr and found.stderr.count("\n") == 1


@pytest.mark.parametrize(
    "other", [{"PORT": "x"}, {"SERVICE_USER": "a:b"}, {"ROOT_PATH": "x"}, {"SERVICE_PASSS": "hush"}]
)
def test_the_password_is_in_no_message(refusal, other):
    assert "hush" not in refusal(SERVICE_PASS="hush", **other)


def test_the_password_is_in_no_printed_settings(configure):
    found = configure(SERVICE_PASS="hush")
    assert "hush" not in f"{found} {found!r} {found.model_dump()} {found.model_dump_json()}"
    assert found.service_pass.get_secret_value() == "hush" and not found.password_generated


@pytest.mark.parametrize("environment", [{}, {"SERVICE_PASS": ""}])
def test_a_new_password_is_generated_if_none_is_set(configure, environment):
    first, second = configure(**environment), configure(**environment)
    assert first.password_generated and len(first.service_pass.get_secret_value()) >= 16
    assert first.service_pass != second.service_pass


@pytest.mark.parametrize(
    ("name", "given", "expected"),
    [
        ("cors_origins", "http://a.org, http://b.org,", ("http://a.org", "http://b.org")),
        ("cors_origins", "*", ("*",)),
        ("cors_origins", "", ()),
        ("trusted_types", " a.B ", ("a.B",)),
        ("log_level", "WARNING", "warning"),
        ("docs_public", "no", False),
        ("root_path", "/ml", "/ml"),
        ("web_concurrency", "", None),
        ("web_concurrency", "3", 3),
        ("holdout", "0.33", 0.33),
        ("training", "off", False),
        ("training", "on", True),
        ("gate_tolerance", "0", 0),
        ("service_user", "Zoë", "Zoë"),
    ],
)
def test_a_setting_is_read_as_it_is_meant(configure, name, given, expected):
    assert getattr(configure(**{name.upper(): given}), name) == expected


def test_sizes_and_workers_follow_from_the_settings(configure):
    assert configure(MAX_BODY_MB="2").max_body_bytes == 2 * 1024 * 1024
    assert configure(WEB_CONCURRENCY="").workers >= 1 and configure(WEB_CONCURRENCY="7").workers == 7


def test_nothing_else_reads_the_environment():
    files = [path for folder in ("ML", "rest_api") for path in (ROOT / folder).rglob("*.py")]
    assert [path.name for path in files if re.search(r"os\.environ|getenv", path.read_text())] == ["environment.py"]


def test_every_setting_is_described_and_in_the_table_of_the_docs():
    """Each row starts with | `NAME` |. Names without a setting are misspelt."""
    rows = re.findall(r"^\| `([A-Z][A-Z_]+)` ", PAGE.read_text(), re.MULTILINE)
    assert set(rows) >= {name.upper() for name in Settings.model_fields}
    assert [name for name, field in Settings.model_fields.items() if not field.description] == []


def test_the_port_is_vertexs_unless_port_is_set(configure):
    assert configure(AIP_HTTP_PORT="8080").port == 8080
    assert configure(AIP_HTTP_PORT="8080", PORT="9000").port == 9000
    assert configure(AIP_HTTP_PORT="8080", PORT="").port == 8080


def test_the_store_is_vertexs_unless_models_dir_is_set(configure, tmp_path):
    for uri in f"file://{tmp_path}", str(tmp_path):
        found = configure(AIP_STORAGE_URI=uri)
        assert (found.models_dir, found.training) == (tmp_path, False)
    found = configure(AIP_STORAGE_URI="gs://nowhere", MODELS_DIR=str(tmp_path / "own"))
    assert (found.models_dir, found.training) == (tmp_path / "own", True)


@pytest.mark.parametrize("uri", ["gs://bucket/model", "/no/such", "file:///no/such", "s3://x", "https://x"])
def test_a_store_that_is_not_there_is_named_with_the_remedy(refusal, uri):
    line = refusal(MODELS_DIR="", AIP_STORAGE_URI=uri)
    assert uri in line and "MODELS_DIR" in line and "\n" not in line
    assert ("/gcs/bucket/model" in line) == uri.startswith("gs://")


@pytest.mark.parametrize(
    ("name", "wrong"), [("AIP_HTTP_PORT", "x"), ("AIP_HEALTH_ROUTE", "health"), ("AIP_PREDICT_ROUTE", "/{model}")]
)
def test_a_wrong_variable_is_one_plain_line(refusal, name, wrong):
    line = refusal(**{name: wrong})
    assert name in line and "\n" not in line


@pytest.fixture
def dotenv(configure, monkeypatch, tmp_path):
    """The settings under a `.env` with this text: `dotenv("PORT=80", HOST="::")`."""
    monkeypatch.delenv("PYTHON_DOTENV_DISABLED")
    monkeypatch.setattr(environment, "ROOT", tmp_path)

    def read(text, **variables):
        (tmp_path / ".env").write_text(text)
        return configure(**variables)

    return read


def test_settings_come_from_the_file_unless_the_environment_has_them(dotenv):
    found = dotenv("# ours\nPORT=9000\nexport HOST='::1'\nSERVICE_PASS=\"a b#c\"\nLOG_FILE=\n", HOST="::")
    assert (found.port, found.host, found.log_file) == (9000, "::", None)
    assert found.service_pass.get_secret_value() == "a b#c" and not found.password_generated


def test_an_empty_variable_counts_as_unset_beside_the_file(dotenv):
    assert dotenv("PORT=9000", PORT="").port == 9000


@pytest.mark.parametrize(
    ("text", "part"), [("PORT=x", "PORT: "), ("SERVICE_PASSWORD=hush", "did you mean SERVICE_PASS")]
)
def test_a_mistake_in_the_file_is_one_plain_line(dotenv, text, part):
    with pytest.raises(SystemExit) as caught:
        dotenv(text)
    line = str(caught.value.code)
    assert part in line and "\n" not in line and "hush" not in line


def test_a_file_that_is_not_text_is_one_plain_line(dotenv, tmp_path):
    (tmp_path / ".env").write_bytes(b"PORT=\xff")
    with pytest.raises(SystemExit, match=r"Can't read .*\.env: ") as caught:
        settings.cache_clear()
        settings()
    assert "\n" not in str(caught.value.code)


def test_the_file_is_ignored_where_python_dotenv_is_disabled(dotenv):
    assert dotenv("PORT=9000", PYTHON_DOTENV_DISABLED="true").port == 8000


def test_the_start_script_gets_the_values_quoted(dotenv, capsys):
    dotenv("GUNICORN_CMD_ARGS=--threads 1\nPORT=9000\nSERVICE_PASS=a'b", PORT="80")
    environment.main()
    assert capsys.readouterr().out == "export GUNICORN_CMD_ARGS='--threads 1'\nexport SERVICE_PASS='a'\"'\"'b'\n"


def test_the_example_sets_nothing_and_names_settings_only(dotenv):
    text = (ROOT / ".env.example").read_text()
    dotenv(text)
    assert environment.unset_values() == {}
    names = set(re.findall(r"^# ([A-Z_]+)=", text, re.MULTILINE))
    assert names - {"GUNICORN_CMD_ARGS"} <= {name.upper() for name in Settings.model_fields}


@pytest.mark.parametrize("name", [".gitignore", ".dockerignore"])
def test_the_file_stays_out_of_commits_and_images(name):
    assert re.search(r"^(\*\*/)?\.env$", (ROOT / name).read_text(), re.MULTILINE)
