"""Looks at the Patroni services of this host and prints a list of what it found, as JSON.

It only looks, and no password leaves this host. The list of services is made as root; what belongs to a service (its
interpreter, its configuration, its REST interface) is asked as the service's own user. `text` is this file.
"""
import json
import os
import pwd
import subprocess
import sys

START = "import sys; text = sys.stdin.read(); exec(text)"

# Patroni's own environment is stronger than its file. Source: patroni/config.py. No secrets.
ENVIRONMENT = {
    "PATRONI_SCOPE": ("scope",),
    "PATRONI_NAME": ("name",),
    "PATRONI_RESTAPI_LISTEN": ("restapi", "listen"),
    "PATRONI_RESTAPI_CONNECT_ADDRESS": ("restapi", "connect_address"),
    "PATRONI_RESTAPI_CERTFILE": ("restapi", "certfile"),
    "PATRONI_RESTAPI_USERNAME": ("restapi", "authentication", "username"),
    "PATRONI_POSTGRESQL_LISTEN": ("postgresql", "listen"),
    "PATRONI_POSTGRESQL_DATA_DIR": ("postgresql", "data_dir"),
    "PATRONI_POSTGRESQL_BIN_DIR": ("postgresql", "bin_dir"),
    "PATRONI_SUPERUSER_USERNAME": ("postgresql", "authentication", "superuser", "username"),
}


def words_of(pid):
    with open("/proc/%d/cmdline" % pid, "rb") as file:
        return [os.fsdecode(word) for word in file.read().split(b"\0")[:-1]]


def configuration_of(words):
    """The argument that is Patroni's configuration; None: this is no Patroni."""
    for at, word in enumerate(words[:3]):
        if os.path.basename(word) in ("patroni", "patroni.py") and words[at - 1 : at] != ["-c"]:
            rest = [word for word in words[at + 1 :] if not word.startswith("-")]
            return rest[0] if rest else ""
    return None


def services():
    shown = subprocess.run(
        ["systemctl", "show", "*.service", "-p", "Id", "-p", "MainPID"],
        stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, check=True, timeout=20, universal_newlines=True,
    ).stdout
    for block in shown.split("\n\n"):
        unit = dict(line.split("=", 1) for line in block.splitlines() if "=" in line)
        pid = int(unit.get("MainPID") or 0)
        try:
            words = words_of(pid) if pid > 0 else []
        except OSError:
            continue
        if configuration_of(words) is not None:
            yield unit["Id"][: -len(".service")], pid, words


def become(user):
    """Never back to root: what runs then is the service's own."""
    def drop():
        os.setgroups(os.getgrouplist(user.pw_name, user.pw_gid))
        os.setgid(user.pw_gid)
        os.setuid(user.pw_uid)
    return drop


def ask_service(unit, pid, words, script):
    user = pwd.getpwuid(os.stat("/proc/%d" % pid).st_uid)
    python = words[0] if os.path.basename(words[0]).startswith("python") else "python3"
    environment = {"PATH": os.environ.get("PATH", "/usr/bin:/bin"), "HOME": user.pw_dir}
    found = {"service": unit, "user": user.pw_name}
    try:
        said = subprocess.run(
            [python, "-c", START, "service", str(pid), configuration_of(words)],
            input=script, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=45, universal_newlines=True,
            cwd="/", env=environment, preexec_fn=become(user),
        )
        if said.returncode == 0:
            found.update(json.loads(said.stdout))
        else:
            found["problem"] = (said.stderr.strip().splitlines() or ["it ended without a word"])[-1][:300]
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        found["problem"] = "%s: %s" % (type(error).__name__, str(error)[:300])
    return found


def find(tree, *keys):
    for key in keys:
        tree = tree.get(key) if isinstance(tree, dict) else None
    return tree


def merge(tree, other):
    for key, value in other.items():
        if isinstance(value, dict) and isinstance(tree.get(key), dict):
            merge(tree[key], value)
        else:
            tree[key] = value
    return tree


def configuration(path, pid):
    import yaml

    files, tree = [path] if path else [], {}
    if path and os.path.isdir(path):
        files = sorted(os.path.join(path, name) for name in os.listdir(path) if name.endswith((".yml", ".yaml")))
    for name in files:
        with open(name, encoding="utf-8") as file:
            merge(tree, yaml.safe_load(file) or {})
    with open("/proc/%d/environ" % pid, "rb") as file:
        pairs = [os.fsdecode(pair).split("=", 1) for pair in file.read().split(b"\0") if b"=" in pair]
    for name, value in pairs:
        if name in ENVIRONMENT:
            for key in reversed(ENVIRONMENT[name]):
                value = {key: value}
            merge(tree, value)
    return tree


def split(address):
    """("host", "port") of "host:port" and "[host]:port"; several hosts may stand before the port."""
    host, _, port = str(address or "").rpartition(":")
    return host.split(",")[0].strip().strip("[]"), port


def split_user(pair):
    return pair.split(":")[0] if pair else None


def rest(tree, path):
    """What this host's own Patroni answers, and why it does not. Its certificate is its own configuration's."""
    import ssl
    import urllib.error
    import urllib.request

    host, port = split(find(tree, "restapi", "listen") or find(tree, "restapi", "connect_address"))
    host = {"": "127.0.0.1", "*": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    scheme = "https" if find(tree, "restapi", "certfile") else "http"
    url = "%s://%s:%s%s" % (scheme, "[%s]" % host if ":" in host else host, port, path)
    handlers = [urllib.request.ProxyHandler({})]
    try:
        if scheme == "https":
            context = ssl.create_default_context()
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            client = find(tree, "ctl") if find(tree, "ctl", "certfile") else find(tree, "restapi")
            context.load_cert_chain(client["certfile"], client.get("keyfile"), client.get("keyfile_password") or "")
            handlers.append(urllib.request.HTTPSHandler(context=context))
        with urllib.request.build_opener(*handlers).open(url, timeout=15) as answer:
            return json.loads(answer.read(4 << 20).decode()), None
    except urllib.error.HTTPError as error:
        # GET /patroni answers with 503 where PostgreSQL is down, and tells its state all the same.
        try:
            return json.loads(error.read(4 << 20).decode()), "HTTP status %d" % error.code
        except ValueError:
            return None, "HTTP status %d" % error.code
    except (OSError, ValueError) as error:
        return None, str(getattr(error, "reason", error))[:300]
    except Exception as error:  # http.client's own are no OSErrors: Patroni hangs up when its DCS is down
        return None, type(error).__name__


def running(data):
    """Port, socket folder and programs of the server that runs on DATA. Source: src/include/utils/pidfile.h."""
    try:
        with open(os.path.join(data, "postmaster.pid"), encoding="utf-8") as file:
            lines = file.read().split("\n")
        return lines[3], lines[4], os.path.dirname(os.readlink("/proc/%d/exe" % int(lines[0])))
    except (OSError, ValueError, IndexError, TypeError):
        return None, None, None


def restores(tree):
    return bool(find(tree, "postgresql", "recovery_conf", "restore_command")
                or find(tree, "postgresql", "parameters", "restore_command"))


def tell_service(pid, path):
    tree = configuration(path, pid)
    data = find(tree, "postgresql", "data_dir")
    port, sockets, programs = running(data)
    cluster, why = rest(tree, "/cluster")
    # Each would wait for a DCS that is down.
    status, _ = rest(tree, "/patroni") if cluster else (None, None)
    dynamic, _ = rest(tree, "/config") if cluster else (None, None)
    configured = find(tree, "postgresql", "parameters", "unix_socket_directories")
    return {
        "config": path, "scope": find(tree, "scope"), "name": find(tree, "name"),
        "scheme": "https" if find(tree, "restapi", "certfile") else "http",
        "ca": find(tree, "ctl", "cacert") or find(tree, "restapi", "cafile"),
        "certificate": find(tree, "restapi", "certfile"),
        "needs_certificate": find(tree, "restapi", "verify_client") in ("required", "optional"),
        "rest_user": find(tree, "restapi", "authentication", "username") or split_user(find(tree, "restapi", "auth")),
        "data": data, "bin": find(tree, "postgresql", "bin_dir") or programs,
        "port": port or split(find(tree, "postgresql", "listen"))[1],
        "sockets": sockets or (configured or "").split(",")[0].strip(),
        "superuser": find(tree, "postgresql", "authentication", "superuser", "username"),
        "restores": restores(tree) or restores(dynamic),
        "cluster": cluster if isinstance(find(cluster, "members"), list) else None,
        "cluster_problem": why,
        "status": status if isinstance(status, dict) else None,
    }


# What cannot be read is told without its text: it may hold passwords.
try:
    if sys.argv[1:2] == ["service"]:
        print(json.dumps(tell_service(int(sys.argv[2]), sys.argv[3])))
    else:
        print(json.dumps([ask_service(*service, script=text) for service in services()]))
except (ImportError, OSError, subprocess.SubprocessError) as error:
    sys.exit(str(error))
except Exception as error:
    sys.exit("Patroni's configuration cannot be understood: %s" % type(error).__name__)
