#!/usr/bin/env python3
"""Makes one random secret of each name, the files that hold them, and what to search for.

usage: secrets_plant.py FOLDER NAME...

Every secret is two random words with all that needs quoting between them. However it is quoted, the words stay as
they are; so they are what is searched for, as they are, in hexadecimal and in base64 at each of its alignments. That also
finds the half of a secret.

FOLDER/secret/NAME   the secret
FOLDER/files/        configuration files that hold them, as a host may have them
FOLDER/control       a word that is no secret
FOLDER/secret.patterns, control.patterns, all.patterns   one a line, for grep -F
FOLDER/names         PATTERN NAME
"""
import base64
import json
import os
import random
import string
import sys
import urllib.parse

folder, names = sys.argv[1], sys.argv[2:]
between = "' \"$%+/\\ &@:{"
dice = random.SystemRandom()
secrets = {}


def write(path, text):
    path = os.path.join(folder, path)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w") as file:
        file.write(text)
    os.chmod(path, 0o600)


def forms(word):
    raw = word.encode()
    yield word
    yield raw.hex()
    yield raw.hex().upper()
    for skipped in range(3):
        # Of the first and the last character, neighbours decide.
        code = base64.b64encode(b"\0" * skipped + raw).decode()
        code = code[(0, 2, 3)[skipped] : (skipped + len(raw)) * 8 // 6]
        yield code
        yield code.replace("+", "-").replace("/", "_")


def random_word():
    return "".join(dice.choices(string.ascii_letters + string.digits, k=16))


patterns = {}
for name in names:
    words = random_word(), random_word()
    secrets[name] = between.join(words)
    write("secret/" + name, secrets[name] + "\n")
    for word in words:
        patterns.update((form, name) for form in forms(word))
control = "control" + random_word()
controls = dict.fromkeys(forms(control), "control")
write("control", control + "\n")
write("secret.patterns", "".join(pattern + "\n" for pattern in patterns))
write("control.patterns", "".join(pattern + "\n" for pattern in controls))
write("all.patterns", "".join(pattern + "\n" for pattern in patterns | controls))
write("names", "".join("%s %s\n" % item for item in (patterns | controls).items()))


def quoted(text, quote, *escaped):
    for pair in escaped:
        text = text.replace(*pair)
    return quote + text + quote


def in_sql(text):  # and in YAML
    return quoted(text, "'", ("'", "''"))


def in_shell(text):
    return quoted(text, "'", ("'", "'\\''"))


def in_conf(text):
    return quoted(text, "'", ("\\", "\\\\"), ("'", "''"))


def in_conninfo(text):
    return quoted(text, "'", ("\\", "\\\\"), ("'", "\\'"))


def pgpass(text):
    return text.replace("\\", "\\\\").replace(":", "\\:")


s = secrets
write("files/app.yml", """log:
  level: info
primary: {username: r, password: %s, port: 5432}
standby:
  password: %s
  port: 5432
certificate:
  password: |-
    %s

    %s
  port: 1
api_token: >-
  %s
port: 1
""" % (json.dumps(s["yaml-flow"]), in_sql(s["yaml"]), s["yaml-block"], s["yaml-block"], s["yaml-token"]))
write("files/app.conf", """work_mem = 4MB
primary_conninfo = %s
restore_command = %s
archive_command = %s
max_connections = 100
archive_cleanup_command = %s
""" % (
    in_conf("host=h password=%s application_name=x" % in_conninfo(s["conninfo"])),
    in_conf("fetch --password %s %%f %%p" % in_shell(s["option"])),
    in_conf("curl -u me:%s https://h/%%f" % in_shell(s["curl"])[1:-1].replace(" ", "+")),
    in_conf("psql postgresql://u:%s@h/db" % urllib.parse.quote(s["url"], safe="@"))))
write("files/app.ini", "[a]\nlevel = 1\npassword = %s\n" % s["ini"])
write("files/app.env", "LEVEL=1\nPGPASSWORD=%s\n" % in_shell(s["env"]))
write("files/app.json", '{"level": 1,\n "a": {"password": %s, "user": "x"}}\n' % json.dumps(s["json"]))
write("files/app.service", "[Service]\nRestart=no\nEnvironment=%s\n" % json.dumps("A_PASSWORD=" + s["service"]))
write("pgpass", "*:*:*:hb_pgpass:%s\n" % pgpass(s["pgpass"]))
write("rest.yml", "  authentication: {username: hb, password: %s}\n" % in_sql(s["rest"]))
write("roles.sql", "".join("CREATE ROLE hb_%s SUPERUSER LOGIN PASSWORD %s;\n" % (name, in_sql(s["pg-" + name]))
                           for name in ("file", "env", "command")) +
      "CREATE ROLE hb_pgpass SUPERUSER LOGIN PASSWORD %s;\n" % in_sql(s["pgpass"]))
write("literal.yml", "password: " + json.dumps(s["typed"]) + "\n")
