"""Uses the official client of the Model Context Protocol: lists the tools and calls each, over HTTP and
over a process, without a handshake and after one. Takes the server's address and the binary."""

import asyncio
import sys

import jsonschema
from mcp import Client, MCPError, StdioServerParameters

URL, BINARY = sys.argv[1:3]
TOOLS = {
    "ask", "submit", "wait_job", "get_job", "list_jobs", "cancel_job", "run_batch", "get_batch",
    "retry_jobs", "list_scrapers", "usage", "list_trackers", "report",
}  # fmt: skip


async def exchange(client: Client, name: str):
    tools = {tool.name: tool for tool in (await client.list_tools()).tools}
    assert set(tools) == TOOLS, tools
    for tool in tools.values():
        hints = tool.annotations
        assert None not in (hints.read_only_hint, hints.destructive_hint, hints.idempotent_hint, hints.open_world_hint)
    assert "practice" in tools["ask"].input_schema["properties"]["scraper"]["enum"]

    async def call(tool, error=False, **arguments):
        result = await client.call_tool(tool, arguments)
        assert result.is_error is error, result
        assert result.content[0].text and result.structured_content, result
        # Errors too: not every client knows that they are none of what the tool returns.
        jsonschema.validate(result.structured_content, tools[tool].output_schema)
        return result

    asked = await call("ask", scraper="practice", prompt=f"What is a job? ({name})")
    job = asked.structured_content
    assert job["status"] == "done" and "Sources:" in asked.content[0].text, asked
    assert (await call("get_job", job_id=job["job_id"])).structured_content == job
    submitted = (await call("submit", scraper="practice", prompt="What is a key?", label=name)).structured_content
    waited = (await call("wait_job", job_id=submitted["job_id"])).structured_content
    assert waited["status"] == "done", waited
    listed = (await call("list_jobs", label=name)).structured_content["jobs"]
    assert [each["job_id"] for each in listed] == [submitted["job_id"]], listed
    over = await call("cancel_job", error=True, job_id=submitted["job_id"])
    assert over.structured_content["code"] == "job_finished", over

    batch = (await call("run_batch", prompts=["One?", "Two?"], scrapers=["practice"])).structured_content
    ended = (await call("get_batch", batch_id=batch["batch_id"], wait_seconds=30)).structured_content
    assert ended["status"] == "done" and ended["counts"]["done"] == 2, ended
    retried = (await call("retry_jobs", batch=batch["batch_id"])).structured_content
    assert (retried["matched"], retried["batch_id"]) == (0, None), retried
    scrapers = (await call("list_scrapers")).structured_content["scrapers"]
    assert any(scraper["name"] == "practice" for scraper in scrapers), scrapers
    assert (await call("usage", days=2)).structured_content["used"] > 0
    assert (await call("list_trackers")).structured_content == {"trackers": []}
    missing = await call("report", error=True, tracker="none")
    assert missing.structured_content["code"] == "tracker_not_found", missing

    key = {"idempotency_key": f"once-{name}", "scraper": "practice", "prompt": "Once?"}
    both = await asyncio.gather(call("ask", **key), call("ask", **key))
    assert len({each.structured_content["job_id"] for each in both}) == 1, both
    for tool, arguments, word in [
        ("ask", {"scraper": "practice", "prompt": "a", "contry": "DE"}, "contry"),
        ("ask", {"scraper": "practice", "prompt": "a", "country": "XX"}, "country"),
        ("none", {}, "none"),
    ]:
        try:
            taken = await client.call_tool(tool, arguments)
            raise SystemExit(f"it was taken: {taken}")
        except MCPError as refused:
            assert refused.error.code == -32602 and f"`{word}`" in refused.error.message, refused


async def main():
    process = StdioServerParameters(command=BINARY, args=["mcp"], env={"ANSWERD_URL": URL})
    for way, server in [("http", f"{URL}/mcp"), ("stdio", process)]:
        for mode, version in [("auto", "2026-07-28"), ("legacy", "2025-11-25")]:
            async with Client(server, mode=mode) as client:
                assert client.protocol_version == version, client.protocol_version
                await exchange(client, f"{way}-{mode}")
            print(f"tests/long/mcp/run: every tool answered over {way} in {version}")


asyncio.run(main())
