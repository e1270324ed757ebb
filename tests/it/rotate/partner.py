"""A partner's service that knows some tokens, and the three programs that a rotation tells it by.

What it knows is in target.json. A line in the file `fault` names a step and what happens at it: who asked is killed
before or after the effect, or the step says no, breaks, or never ends; an orphan outlives who asked it, until somebody
opens the pipe `gate`.
"""

import json
import os
import signal
import sys
import time

question = json.load(sys.stdin)
step, pair = question["step"], question["values"]["TOKEN"]
assert question["strongroom"] == 1 and question["rotation"] == "partner", question
assert not any(name.startswith("STRONGROOM_") for name in os.environ)

with open("target.json") as file:
    target = json.load(file)
target["calls"].append(step)
fault = None
if os.path.exists("fault"):
    with open("fault") as file:
        fault = file.read().split()
    fault = fault[1] if fault[0] == step else None
if fault is not None:
    os.remove("fault")


def save():
    with open("target.json.new", "w") as file:
        json.dump(target, file)
    os.rename("target.json.new", "target.json")


def kill():
    os.kill(os.getppid(), signal.SIGKILL)
    sys.exit(0)


if fault == "kill-before":
    kill()
if fault == "orphan":
    os.kill(os.getppid(), signal.SIGKILL)
    with open("gate") as gate:
        gate.read()
if fault == "no":
    save()
    print("it will not", pair["new"], file=sys.stderr)
    sys.exit(10)
if fault == "break":
    print("it broke", pair["new"], file=sys.stderr)
    sys.exit(3)
if fault == "hang":
    time.sleep(600)

known = target["known"]
if step == "apply" and target["chooses"]:
    # Whoever asks again in the same operation gets another one, and the one from before is gone.
    known[:] = [token for token in known if not token.startswith(question["operation"])]
    pair["new"] = f"{question['operation']}-canary-{len(target['calls'])}"
if step == "apply":
    if pair["new"] not in known:
        known.append(pair["new"])
if step == "retire" and pair["old"] in known:
    known.remove(pair["old"])
save()
if fault == "kill-after":
    kill()
if step == "apply" and target["chooses"]:
    print(json.dumps({"values": {"TOKEN": pair["new"]}}) if fault != "babble" else "canary-babble")
if step == "verify" and pair["new"] not in known:
    sys.exit(10)
