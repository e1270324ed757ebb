"""A tour of SSM and Secrets Manager that says the same on every AWS: it prints what it was answered, a line for each call.

It goes only where moto is known to be right, and keeps what differs from account to account and from run to run out of
what it prints.
"""

import json

import boto3
from botocore.exceptions import ClientError

ssm = boto3.client("ssm")
secrets = boto3.client("secretsmanager")


def say(what, call, look=lambda answer: None):
    try:
        told = look(call())
    except ClientError as error:
        told = "refused: " + error.response["Error"]["Code"]
    print(what, "->", json.dumps(told, sort_keys=True))


def put(name, value, **more):
    return lambda: ssm.put_parameter(Name=name, Value=value, **more)


def values(answer):
    return sorted((p["Name"], p["Type"], p["Value"], p["Version"]) for p in answer["Parameters"])


def token(digit):
    return f"00000000-0000-4000-8000-00000000000{digit}"


# Parameters.
version = lambda answer: answer["Version"]
A = "/demo/app/A"
say("put", put(A, "one", Type="SecureString"), version)
say("put again", put(A, "two", Type="SecureString"))
say("put without a type", put("/demo/app/B", "b"))
say("overwrite", put(A, "two", Type="SecureString", Overwrite=True), version)
say("overwrite with tags", put(A, "x", Overwrite=True, Tags=[{"Key": "a", "Value": "b"}]))
say("reserved", put("/aws/demo", "x", Type="String"))
for name in "BCDEFGHIJKLM":
    ssm.put_parameter(Name="/demo/app/" + name, Value=name.lower(), Type="String")
say("get", lambda: ssm.get_parameter(Name=A, WithDecryption=True), lambda a: a["Parameter"]["Value"])
say("get encrypted", lambda: ssm.get_parameter(Name=A), lambda a: a["Parameter"]["Value"] == "two")
say("get version", lambda: ssm.get_parameter(Name=A + ":1", WithDecryption=True), lambda a: a["Parameter"]["Value"])
say("get no version", lambda: ssm.get_parameter(Name=A + ":9", WithDecryption=True))
say("get nothing", lambda: ssm.get_parameter(Name="/demo/app/Z"))
say(
    "get several",
    lambda: ssm.get_parameters(Names=[A, "/demo/app/B", "/demo/app/Z"], WithDecryption=True),
    lambda a: [values(a), a["InvalidParameters"]],
)
say("get eleven", lambda: ssm.get_parameters(Names=["/demo/app/" + c for c in "ABCDEFGHIJK"]))
say("walk", lambda: ssm.get_paginator("get_parameters_by_path").paginate(Path="/demo", Recursive=True).build_full_result(), lambda a: [p["Name"] for p in a["Parameters"]])
say("walk one level", lambda: ssm.get_parameters_by_path(Path="/demo"), lambda a: a["Parameters"])
say("walk a leaf", lambda: ssm.get_parameters_by_path(Path=A, Recursive=True), lambda a: a["Parameters"])
say("walk nothing", lambda: ssm.get_parameters_by_path(Path="/nothing", Recursive=True), lambda a: a["Parameters"])
say("page of eleven", lambda: ssm.get_parameters_by_path(Path="/demo", MaxResults=11))
say("first page", lambda: ssm.get_parameters_by_path(Path="/demo", Recursive=True), lambda a: [len(a["Parameters"]), "NextToken" in a])
say("label", lambda: ssm.label_parameter_version(Name=A, ParameterVersion=1, Labels=["before", "1no"]), lambda a: a["InvalidLabels"])
say("get label", lambda: ssm.get_parameter(Name=A + ":before", WithDecryption=True), lambda a: a["Parameter"]["Value"])
say("history", lambda: ssm.get_parameter_history(Name=A, WithDecryption=True), lambda a: [[p["Version"], p["Value"], p["Type"], p["Labels"]] for p in a["Parameters"]])
by_name = [{"Key": "Name", "Option": "BeginsWith", "Values": ["/demo/app/A"]}]
say("describe", lambda: ssm.describe_parameters(ParameterFilters=by_name), lambda a: [[p["Name"], p["Type"], p["KeyId"], p["Version"]] for p in a["Parameters"]])
say("tag", lambda: ssm.add_tags_to_resource(ResourceType="Parameter", ResourceId=A, Tags=[{"Key": "a", "Value": "b"}]))
say("tags", lambda: ssm.list_tags_for_resource(ResourceType="Parameter", ResourceId=A), lambda a: a["TagList"])
say("delete", lambda: ssm.delete_parameter(Name=A))
say("delete again", lambda: ssm.delete_parameter(Name=A))
say("delete several", lambda: ssm.delete_parameters(Names=["/demo/app/B", "/demo/app/Z"]), lambda a: [a["DeletedParameters"], a["InvalidParameters"]])
say("put anew", put(A, "three", Type="String"), version)

# Secrets. Deprecated versions, which AWS's documentation leaves out of this list, are in moto's.
stages = lambda a: {i: sorted(s) for i, s in a["VersionIdsToStages"].items() if s}
S = "demo/app"
say("create", lambda: secrets.create_secret(Name=S, SecretString='{"A": 1.50}', ClientRequestToken=token(1), Tags=[{"Key": "a", "Value": "b"}]), lambda a: [a["Name"], a["VersionId"]])
say("create again", lambda: secrets.create_secret(Name=S, SecretString="{}", ClientRequestToken=token(2)))
say("value", lambda: secrets.get_secret_value(SecretId=S, VersionStage="AWSCURRENT"), lambda a: [a["SecretString"], a["VersionId"], a["VersionStages"]])
say("put", lambda: secrets.put_secret_value(SecretId=S, SecretString="two", ClientRequestToken=token(2)), lambda a: a["VersionStages"])
say("put the same", lambda: secrets.put_secret_value(SecretId=S, SecretString="two", ClientRequestToken=token(2)), lambda a: a["VersionId"])
say("put another", lambda: secrets.put_secret_value(SecretId=S, SecretString="three", ClientRequestToken=token(2)))
say("stages", lambda: secrets.describe_secret(SecretId=S), stages)
say("put aside", lambda: secrets.put_secret_value(SecretId=S, SecretString="aside", ClientRequestToken=token(3), VersionStages=["MINE"]), lambda a: a["VersionStages"])
say("current is as it was", lambda: secrets.get_secret_value(SecretId=S, VersionStage="AWSCURRENT"), lambda a: a["SecretString"])
say("swap from the wrong one", lambda: secrets.update_secret_version_stage(SecretId=S, VersionStage="AWSCURRENT", RemoveFromVersionId=token(1), MoveToVersionId=token(3)))
say("swap", lambda: secrets.update_secret_version_stage(SecretId=S, VersionStage="AWSCURRENT", RemoveFromVersionId=token(2), MoveToVersionId=token(3)), lambda a: a["Name"])
say("stages", lambda: secrets.describe_secret(SecretId=S), stages)
say("value", lambda: secrets.get_secret_value(SecretId=S, VersionStage="AWSCURRENT"), lambda a: a["SecretString"])
say("previous", lambda: secrets.get_secret_value(SecretId=S, VersionStage="AWSPREVIOUS"), lambda a: a["SecretString"])
say("by version", lambda: secrets.get_secret_value(SecretId=S, VersionId=token(1)), lambda a: a["SecretString"])
say("no such stage", lambda: secrets.get_secret_value(SecretId=S, VersionStage="NONE"))
say("wrong pair", lambda: secrets.get_secret_value(SecretId=S, VersionId=token(3), VersionStage="AWSPREVIOUS"))
say("nothing", lambda: secrets.get_secret_value(SecretId="demo/nothing"))
say("describe nothing", lambda: secrets.describe_secret(SecretId="demo/nothing"))
secrets.create_secret(Name="demo/other", SecretString="other")
say("batch", lambda: secrets.batch_get_secret_value(SecretIdList=["demo/other", "demo/nothing"]), lambda a: [[s["SecretString"] for s in a["SecretValues"]], [[e["SecretId"], e["ErrorCode"]] for e in a["Errors"]]])
say("list", lambda: secrets.list_secrets(Filters=[{"Key": "name", "Values": ["demo/"]}]), lambda a: sorted(s["Name"] for s in a["SecretList"]))
say("delete both ways", lambda: secrets.delete_secret(SecretId=S, RecoveryWindowInDays=7, ForceDeleteWithoutRecovery=True))
say("delete in six days", lambda: secrets.delete_secret(SecretId=S, RecoveryWindowInDays=6))
say("delete", lambda: secrets.delete_secret(SecretId=S, RecoveryWindowInDays=7), lambda a: a["Name"])
say("value of the deleted", lambda: secrets.get_secret_value(SecretId=S))
say("list without it", lambda: secrets.list_secrets(), lambda a: [s["Name"] for s in a["SecretList"]])
say("restore", lambda: secrets.restore_secret(SecretId=S), lambda a: a["Name"])
say("value", lambda: secrets.get_secret_value(SecretId=S, VersionStage="AWSCURRENT"), lambda a: a["SecretString"])
say("delete at once", lambda: secrets.delete_secret(SecretId=S, ForceDeleteWithoutRecovery=True), lambda a: a["Name"])
say("value of nothing", lambda: secrets.get_secret_value(SecretId=S))
