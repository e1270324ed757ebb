"""Stands for the Django app: reads its settings as settings.py would, and tells what it got, without telling it."""

import os
import urllib.parse

REQUIRED = ["DJANGO_SETTINGS_MODULE", "SECRET_KEY", "DATABASE_URL", "RDS_PASSWORD", "AWS_SECRET_ACCESS_KEY"]

missing = [name for name in REQUIRED if name not in os.environ]
if missing:
    raise SystemExit(f"not in the environment: {', '.join(missing)}")

url = urllib.parse.urlsplit(os.environ["DATABASE_URL"])
assert urllib.parse.unquote(url.password) == os.environ["RDS_PASSWORD"], "DATABASE_URL has another password"
instances = sorted(name.split("_")[1] for name in os.environ if name.startswith("XERO_") and name.endswith("_client_id"))
fallbacks = [key for key in os.environ.get("SECRET_KEY_FALLBACKS", "").split(",") if key]

print(f"settings    {os.environ['DJANGO_SETTINGS_MODULE']}")
print(f"secret key  {len(os.environ['SECRET_KEY'])} characters, {len(fallbacks)} old ones accepted")
print(f"database    {url.username} at {url.hostname}:{url.port}{url.path}, password of {len(os.environ['RDS_PASSWORD'])} characters")
print(f"xero        {', '.join(instances) or 'no connection'}")
print(f"ours        {sum(name.startswith('STRONGROOM_') for name in os.environ)} variables of strongroom reached this process")
