"""The guide's LangChain tool against a running service: called as an agent's runtime calls it."""

import sys

from answerd import Answerd
from answerd_langchain import answer_engine
from langchain_core.messages import ToolCall

client = Answerd(sys.argv[1])
tool = answer_engine(client, "practice", country="DE")
assert tool.name == "ask_practice" and list(tool.args) == ["prompt"], tool.args
message = tool.invoke(ToolCall(name=tool.name, args={"prompt": "What is a batch?"}, id="1", type="tool_call"))
assert message.status == "success" and "1,000 prompts" in message.content and "[1] " in message.content, message
assert message.artifact["country"] == "DE" and client.job(message.artifact["job_id"])["status"] == "done"

refused = answer_engine(client, "no_such").invoke(ToolCall(name="x", args={"prompt": "a"}, id="2", type="tool_call"))
assert refused.status == "error" and "scraper_unknown" in refused.content, refused
print("tests/long/clients: LangChain called the tool")
