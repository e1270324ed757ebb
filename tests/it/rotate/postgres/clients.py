"""Reads a database's URL from stdin as Django projects do, logs in with it where a server is meant, and writes what each
reader understood, as JSON."""

import json
import sys

import dj_database_url
import environ
import psycopg

url = sys.stdin.read()
told = {}
for reader, config in [("dj-database-url", dj_database_url.parse(url)), ("django-environ", environ.Env.db_url_config(url))]:
    told[reader] = [config[name] for name in ("USER", "PASSWORD", "HOST", "NAME")] + [str(config["PORT"])]
libpq = psycopg.conninfo.conninfo_to_dict(url)
told["psycopg"] = [libpq[name] for name in ("user", "password", "host", "dbname", "port")]
with psycopg.connect(url, application_name="the-app") as connection:
    told["session"] = connection.execute("SELECT session_user::text").fetchone()[0]
json.dump(told, sys.stdout)
