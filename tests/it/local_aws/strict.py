"""What AWS refuses and emulators let pass; every line is a claim, and the first that does not hold ends the program."""

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

# botocore would refuse some of it before AWS sees it.
config = Config(parameter_validation=False, retries={"total_max_attempts": 1})
ssm = boto3.client("ssm", config=config)
secrets = boto3.client("secretsmanager", config=config)


def refused(code, words, call, **arguments):
    try:
        call(**arguments)
    except ClientError as error:
        got = error.response["Error"]
        assert got["Code"] == code and words in got["Message"], (code, words, got)
        assert error.response["ResponseMetadata"]["RequestId"]
        return
    raise AssertionError(f"{call.__name__} of {arguments} was not refused with {code}")


def put(name, value="x", **more):
    return ssm.put_parameter(Name=name, Value=value, **{"Type": "String", **more})


# Names.
for name in ["/a b", "/ä", "/a//b", "/a/", "", "/a:1"]:
    refused("ValidationException", "", put, name=name)
refused("ValidationException", "fully qualified", put, name="a/b")
refused("ValidationException", "prefixed", put, name="SSM-x")
refused("HierarchyLevelLimitExceededException", "", put, name="/x" * 16)
refused("ValidationException", "1,011", put, name="/" + "x" * 967)
put("/" + "x" * 966)
put("/x" * 15)
put("bare")
refused("ParameterAlreadyExists", "", put, name="/bare")
put(" /edges ")
assert ssm.get_parameter(Name="/edges")["Parameter"]["Name"] == "/edges"

# Values and tiers.
refused("ValidationException", "greater than or equal to 1", put, name="/v", value="")
refused("ValidationException", "{{}}", put, name="/v", value="{{ user }}")
refused("ValidationException", "4096", put, name="/v", value="é" * 2049)
put("/v", "x" * 4096)
put("/v", "x" * 4097, Tier="Intelligent-Tiering", Overwrite=True)
described = ssm.describe_parameters(ParameterFilters=[{"Key": "Name", "Values": ["/v"]}])["Parameters"]
assert [p["Tier"] for p in described] == ["Advanced"], described
refused("ValidationException", "downgrade", put, name="/v", Tier="Standard", Overwrite=True)
refused("ValidationException", "8192", put, name="/v", value="x" * 8193, Tier="Advanced", Overwrite=True)

# Keys: left out, AWS's own takes over.
ssm.put_parameter(Name="/k", Value="1", Type="SecureString", KeyId="alias/demo")
ssm.put_parameter(Name="/k", Value="2", Overwrite=True)
keys = [p["KeyId"] for p in ssm.get_parameter_history(Name="/k")["Parameters"]]
assert keys == ["alias/demo", "alias/aws/ssm"], keys
refused("InvalidKeyId", "", put, name="/k2", Type="SecureString", KeyId="alias/nothing")
refused("ValidationException", "SecureString", put, name="/k2", KeyId="alias/demo")

# Versions: a hundred, and the oldest only goes if it has no label.
for number in range(100):
    put("/many", str(number), Overwrite=True)
put("/many", "100", Overwrite=True)
pages = ssm.get_paginator("get_parameter_history").paginate(Name="/many")
versions = [p["Version"] for page in pages for p in page["Parameters"]]
assert versions == list(range(2, 102)), versions
ssm.label_parameter_version(Name="/many", ParameterVersion=2, Labels=["keep"])
refused("ParameterMaxVersionLimitExceeded", "label", put, name="/many", Overwrite=True)
labels = [f"l{n}" for n in range(10)]
refused("ParameterVersionLabelLimitExceeded", "", ssm.label_parameter_version, Name="/many", ParameterVersion=2, Labels=labels)
answer = ssm.label_parameter_version(Name="/many", Labels=["keep", "aws-x", "ssm", "9", "a b"])
assert answer["ParameterVersion"] == 101 and len(answer["InvalidLabels"]) == 4, answer
refused("ParameterVersionNotFound", "", ssm.label_parameter_version, Name="/many", ParameterVersion=1, Labels=["a"])

# Batches, paths, filters, tokens.
refused("ValidationException", "", ssm.delete_parameters, Names=[f"/{n}" for n in range(11)])
refused("ValidationException", "", ssm.get_parameters, Names=[])
refused("ValidationException", "forward slash", ssm.get_parameters_by_path, Path="demo")
refused("InvalidFilterKey", "", ssm.get_parameters_by_path, Path="/", ParameterFilters=[{"Key": "Name", "Values": ["/v"]}])
refused("InvalidFilterOption", "", ssm.describe_parameters, ParameterFilters=[{"Key": "Path", "Option": "Equals", "Values": ["/"]}])
refused("InvalidFilterValue", "", ssm.describe_parameters, ParameterFilters=[{"Key": "Name", "Values": []}])
refused("ValidationException", "50", ssm.describe_parameters, MaxResults=51)
refused("InvalidNextToken", "", ssm.get_parameters_by_path, Path="/", NextToken="made-up")
refused("InvalidResourceId", "", ssm.list_tags_for_resource, ResourceType="Parameter", ResourceId="/nothing")
refused("InvalidResourceType", "", ssm.list_tags_for_resource, ResourceType="Document", ResourceId="/v")

# Secrets: names, sizes, tokens.
create, token = secrets.create_secret, "0" * 31
refused("ValidationException", "Invalid name", create, Name="a b", SecretString="x")
refused("ValidationException", "512", create, Name="x" * 513, SecretString="x")
refused("ValidationException", "65536", create, Name="big", SecretString="x" * 65_537)
refused("InvalidParameterException", "32", create, Name="t", SecretString="x", ClientRequestToken=token)
refused("EncryptionFailure", "", create, Name="t", SecretString="x", KmsKeyId="alias/nothing")
first = create(Name="s", SecretString="x" * 65_536, ClientRequestToken=token + "1")
again = create(Name="s", SecretString="x" * 65_536, ClientRequestToken=token + "1")
assert first["ARN"] == again["ARN"]
refused("ResourceExistsException", "already in use", create, Name="s", SecretString="y", ClientRequestToken=token + "1")
refused("ResourceExistsException", "", secrets.update_secret, SecretId="s", SecretString="z", ClientRequestToken=token + "1")
assert secrets.describe_secret(SecretId=first["ARN"][:-7])["ARN"] == first["ARN"]

# The swap.
swap = secrets.update_secret_version_stage
secrets.put_secret_value(SecretId="s", SecretString="2", ClientRequestToken=token + "2", VersionStages=["MINE"])
one, two = token + "1", token + "2"
refused("InvalidParameterException", "RemoveFromVersionId", swap, SecretId="s", VersionStage="AWSCURRENT", MoveToVersionId=two)
refused("ResourceNotFoundException", "", swap, SecretId="s", VersionStage="AWSCURRENT", RemoveFromVersionId=one, MoveToVersionId="no" * 16)
refused("InvalidParameterException", "", swap, SecretId="s", VersionStage="AWSCURRENT", RemoveFromVersionId=one)
swap(SecretId="s", VersionStage="AWSCURRENT", RemoveFromVersionId=one, MoveToVersionId=two)
refused("InvalidParameterException", "not attached", swap, SecretId="s", VersionStage="AWSCURRENT", RemoveFromVersionId=one, MoveToVersionId=two)
swap(SecretId="s", VersionStage="MINE", RemoveFromVersionId=two)
assert secrets.get_secret_value(SecretId="s")["SecretString"] == "2"
stages = secrets.describe_secret(SecretId="s")["VersionIdsToStages"]
assert stages == {one: ["AWSPREVIOUS"], two: ["AWSCURRENT"]}, stages

# Versions: without a label they are deprecated; under a day old they are not removed.
secrets.put_secret_value(SecretId="s", SecretString="3")
ids = lambda **more: [v["VersionId"] for v in secrets.list_secret_version_ids(SecretId="s", **more)["Versions"]]
assert one not in ids() and one in ids(IncludeDeprecated=True)
for number in range(97):
    secrets.put_secret_value(SecretId="s", SecretString=str(number))
refused("LimitExceededException", "", secrets.put_secret_value, SecretId="s", SecretString="101")

# Batches.
batch = secrets.batch_get_secret_value
refused("InvalidParameterException", "", batch)
refused("ValidationException", "", batch, SecretIdList=[f"s{n}" for n in range(21)])
refused("InvalidParameterException", "", batch, SecretIdList=["s"], MaxResults=1)
refused("InvalidParameterException", "", batch, SecretIdList=["s"], Filters=[{"Key": "name", "Values": ["s"]}])
refused("ValidationException", "20", batch, Filters=[{"Key": "name", "Values": ["s"]}], MaxResults=21)

# Deletion.
secrets.delete_secret(SecretId="s")
for call in [create]:
    refused("InvalidRequestException", "already scheduled for deletion", call, Name="s", SecretString="x")
for call in [secrets.get_secret_value, secrets.delete_secret]:
    refused("InvalidRequestException", "deletion", call, SecretId="s")
refused("InvalidRequestException", "marked for deletion", secrets.put_secret_value, SecretId="s", SecretString="x")
refused("InvalidRequestException", "marked for deletion", secrets.update_secret, SecretId="s", SecretString="x")
assert "DeletedDate" in secrets.describe_secret(SecretId="s")
listed = [s["Name"] for s in secrets.list_secrets(IncludePlannedDeletion=True)["SecretList"]]
assert listed == ["s"] and not secrets.list_secrets()["SecretList"], listed
errors = batch(SecretIdList=["s"])["Errors"]
assert [e["ErrorCode"] for e in errors] == ["InvalidRequestException"], errors
secrets.delete_secret(SecretId="s", ForceDeleteWithoutRecovery=True)
secrets.delete_secret(SecretId="s", ForceDeleteWithoutRecovery=True)
assert create(Name="s", SecretString="x")["ARN"] != first["ARN"]
refused("ResourceNotFoundException", "", secrets.describe_secret, SecretId=first["ARN"])

# What is not modelled says so.
refused("ValidationException", "not modelled", put, name="/p", Policies="[]", Tier="Advanced")
refused("UnknownOperationException", "not modelled", secrets.rotate_secret, SecretId="s")
