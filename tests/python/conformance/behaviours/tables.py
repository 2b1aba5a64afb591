"""DynamoDB, as a ledger needs it: conditions, transactions, an index, regions apart."""

from ..registry import behaviour
from ..world import AWAY, refused, same, true

TABLE = "ledger"
DAY_SECONDS = 24 * 3600


def _table(w, region="us-east-1", account=None, index=False):
    """A table with a key `pk` and, if asked, an index by `group` and `rank`."""
    client = w.client("dynamodb", region, account)
    names = ["pk"] + (["group", "rank"] if index else [])
    request = {
        "TableName": TABLE,
        "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": [{"AttributeName": n, "AttributeType": "S"} for n in names],
        "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}],
    }
    if index:
        request["GlobalSecondaryIndexes"] = [{
            "IndexName": "by-group",
            "KeySchema": [{"AttributeName": "group", "KeyType": "HASH"},
                          {"AttributeName": "rank", "KeyType": "RANGE"}],
            "Projection": {"ProjectionType": "ALL"},
        }]
    client.create_table(**request)
    w.until("the table", lambda: client.describe_table(TableName=TABLE)["Table"]["TableStatus"],
            lambda status: status == "ACTIVE", step=10)
    return client


def _row(key, **more):
    return {"pk": {"S": key}} | {name: {"S": value} for name, value in more.items()}


def _get(client, key):
    return client.get_item(TableName=TABLE, Key=_row(key), ConsistentRead=True).get("Item")


def _new(key, **more):
    """A Put that insists on being the first."""
    return {"Put": {"TableName": TABLE, "Item": _row(key, **more),
                    "ConditionExpression": "attribute_not_exists(pk)"}}


@behaviour("5.4", "a conditional write succeeds once; the second is refused")
def conditional(w):
    client = _table(w)
    request = {"TableName": TABLE, "ConditionExpression": "attribute_not_exists(pk)"}
    client.put_item(Item=_row("a", owner="first"), **request)
    answer = refused("ConditionalCheckFailedException", client.put_item,
                     Item=_row("a", owner="second"), says="The conditional request failed",
                     **request)
    true("an item without being asked", "Item" not in answer)
    same("the row", _get(client, "a"), _row("a", owner="first"))


@behaviour("5.4", "ALL_OLD on a failed condition answers the item that was in the way")
def all_old(w):
    client = _table(w)
    client.put_item(TableName=TABLE, Item=_row("a", owner="first"))
    answer = refused(
        "ConditionalCheckFailedException", client.put_item, TableName=TABLE,
        Item=_row("a", owner="second"), ConditionExpression="attribute_not_exists(pk)",
        ReturnValuesOnConditionCheckFailure="ALL_OLD")
    same("the item", answer["Item"], _row("a", owner="first"))


@behaviour("5.4", "an update under a condition changes the row and answers the new one")
def update(w):
    client = _table(w)
    client.put_item(TableName=TABLE, Item=_row("a", state="open"))
    request = {
        "TableName": TABLE, "Key": _row("a"), "UpdateExpression": "SET #s = :done ADD n :one",
        "ConditionExpression": "#s = :open", "ReturnValues": "ALL_NEW",
        "ExpressionAttributeNames": {"#s": "state"},
        "ExpressionAttributeValues": {":done": {"S": "done"}, ":open": {"S": "open"},
                                      ":one": {"N": "1"}},
    }
    answer = client.update_item(**request)
    same("the new row", answer["Attributes"], _row("a", state="done") | {"n": {"N": "1"}})
    refused("ConditionalCheckFailedException", client.update_item, **request)
    same("the row", _get(client, "a")["n"], {"N": "1"})


@behaviour("5.4", "a delete under a condition spares the row that does not meet it")
def delete(w):
    client = _table(w)
    client.put_item(TableName=TABLE, Item=_row("a", owner="first"))
    request = {"TableName": TABLE, "Key": _row("a"), "ConditionExpression": "#o = :o",
               "ExpressionAttributeNames": {"#o": "owner"}}
    refused("ConditionalCheckFailedException", client.delete_item,
            ExpressionAttributeValues={":o": {"S": "second"}}, **request)
    client.delete_item(ExpressionAttributeValues={":o": {"S": "first"}}, **request)
    same("the row", _get(client, "a"), None)


@behaviour("5.4", "a transaction writes all of its rows")
def transaction(w):
    client = _table(w)
    client.transact_write_items(TransactItems=[_new("a"), _new("b")])
    same("the rows", (_get(client, "a"), _get(client, "b")), (_row("a"), _row("b")))


@behaviour("5.4", "a cancelled transaction writes nothing and tells its reasons in order")
def cancelled(w):
    client = _table(w)
    client.put_item(TableName=TABLE, Item=_row("b", owner="first"))
    blocked = _new("b", owner="second")
    blocked["Put"]["ReturnValuesOnConditionCheckFailure"] = "ALL_OLD"
    answer = refused("TransactionCanceledException", client.transact_write_items,
                     TransactItems=[_new("a"), blocked, _new("c")])
    reasons = answer["CancellationReasons"]
    same("codes", [r["Code"] for r in reasons], ["None", "ConditionalCheckFailed", "None"])
    same("the item in the way", reasons[1]["Item"], _row("b", owner="first"))
    same("the others", (_get(client, "a"), _get(client, "c")), (None, None))


@behaviour("5.4", "two actions of a transaction on one row are refused")
def one_row_twice(w):
    client = _table(w)
    refused("ValidationException", client.transact_write_items,
            TransactItems=[_new("a"), _new("a")])


@behaviour("5.4", "a transaction of more than 100 actions is refused")
def too_long(w):
    client = _table(w)
    items = [_new(f"row-{number}") for number in range(101)]
    refused("ValidationException", w.client("dynamodb", validate=False).transact_write_items,
            TransactItems=items)
    client.transact_write_items(TransactItems=items[:100])


@behaviour("5.4", "a transaction repeated with its token within 10 minutes is done once")
def token(w):
    client = _table(w)
    client.put_item(TableName=TABLE, Item=_row("a") | {"n": {"N": "0"}})
    request = {"ClientRequestToken": "only-once", "TransactItems": [{"Update": {
        "TableName": TABLE, "Key": _row("a"), "UpdateExpression": "ADD n :one",
        "ExpressionAttributeValues": {":one": {"N": "1"}}}}]}
    for _ in range(3):
        client.transact_write_items(**request)
    same("the count", _get(client, "a")["n"], {"N": "1"})


@behaviour("5.4", "a transaction's token with other actions is a mismatch")
def token_mismatch(w):
    client = _table(w)
    client.transact_write_items(ClientRequestToken="only-once", TransactItems=[_new("a")])
    refused("IdempotentParameterMismatchException", client.transact_write_items,
            ClientRequestToken="only-once", TransactItems=[_new("b")])


@behaviour("5.4", "an index is queried by its own keys, in order, in pages")
def index(w):
    client = _table(w, index=True)
    for number in (3, 1, 2):
        client.put_item(TableName=TABLE, Item=_row(f"k{number}", group="g", rank=str(number)))
    client.put_item(TableName=TABLE, Item=_row("other", group="h", rank="9"))
    client.put_item(TableName=TABLE, Item=_row("not-in-the-index"))
    request = {"TableName": TABLE, "IndexName": "by-group", "Limit": 2,
               "KeyConditionExpression": "#g = :g",
               "ExpressionAttributeNames": {"#g": "group"},
               "ExpressionAttributeValues": {":g": {"S": "g"}}}
    first = client.query(**request)
    same("the first page", [i["pk"]["S"] for i in first["Items"]], ["k1", "k2"])
    second = client.query(ExclusiveStartKey=first["LastEvaluatedKey"], **request)
    same("the second page", [i["pk"]["S"] for i in second["Items"]], ["k3"])
    true("a third page", not second.get("LastEvaluatedKey"))


@behaviour("5.4", "time to live is off until it is switched on with an attribute")
def time_to_live(w):
    client = _table(w)
    shown = client.describe_time_to_live(TableName=TABLE)["TimeToLiveDescription"]
    same("before", shown["TimeToLiveStatus"], "DISABLED")
    client.update_time_to_live(TableName=TABLE, TimeToLiveSpecification={
        "Enabled": True, "AttributeName": "expires"})
    shown = w.until(
        "time to live",
        lambda: client.describe_time_to_live(TableName=TABLE)["TimeToLiveDescription"],
        lambda ttl: ttl["TimeToLiveStatus"] == "ENABLED")
    same("the attribute", shown["AttributeName"], "expires")


def _expiring_table(w):
    client = _table(w)
    client.update_time_to_live(TableName=TABLE, TimeToLiveSpecification={
        "Enabled": True, "AttributeName": "expires"})
    w.advance(3600)
    return client


def _expiring(key, moment):
    return _row(key) | {"expires": {"N": str(moment)}}


@behaviour("5.4", "an expired row is gone within a few days; the others stay")
def expired(w):
    client = _expiring_table(w)
    now = int(w.now().timestamp())
    rows = [_expiring("soon", now + 60), _expiring("later", now + 30 * DAY_SECONDS),
            _row("text", expires=str(now + 60)), _row("no-date")]
    for row in rows:
        client.put_item(TableName=TABLE, Item=row)
    true("gone before its time", _get(client, "soon"))
    w.advance(10 * DAY_SECONDS)
    left = [row["pk"]["S"] for row in rows if _get(client, row["pk"]["S"])]
    same("the rows left", left, ["later", "text", "no-date"])


@behaviour("5.4", "a row that expired more than five years ago is not deleted")
def expired_long_ago(w):
    client = _expiring_table(w)
    moment = int(w.now().timestamp()) - 6 * 365 * DAY_SECONDS
    client.put_item(TableName=TABLE, Item=_expiring("old", moment))
    w.advance(10 * DAY_SECONDS)
    true("the row was deleted", _get(client, "old"))


@behaviour("5.4", "a table lives in one region of one account")
def apart(w):
    client = _table(w)
    client.put_item(TableName=TABLE, Item=_row("a"))
    other_account = w.neighbour()
    for other in (w.client("dynamodb", AWAY), w.client("dynamodb", account=other_account)):
        refused("ResourceNotFoundException", other.get_item, TableName=TABLE, Key=_row("a"))
    for other in (_table(w, AWAY), _table(w, account=other_account)):
        same("the row", _get(other, "a"), None)


@behaviour("5.4", "a table that exists is not made again")
def twice(w):
    client = _table(w)
    refused("ResourceInUseException", client.create_table, TableName=TABLE,
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
            KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}])


@behaviour("5.4", "an item of more than 400 KB, and a batch of more than 25, are refused")
def sizes(w):
    client = _table(w)
    refused("ValidationException", client.put_item, TableName=TABLE,
            Item=_row("a", text="x" * (400 * 1024)))
    puts = [{"PutRequest": {"Item": _row(f"row-{number}")}} for number in range(26)]
    careless = w.client("dynamodb", validate=False)
    refused("ValidationException", careless.batch_write_item, RequestItems={TABLE: puts})
    client.batch_write_item(RequestItems={TABLE: puts[:25]})
