//! Clients of the protocol for tests: one for each way to speak it.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::{Value, json};

use crate::openapi::fault;

pub(crate) const STATELESS: &str = "2026-07-28";
pub(crate) const HANDSHAKE: &str = "2025-11-25";

/// A request of the stateless revision says who its client is.
pub(crate) fn stateless(mut params: Value) -> Value {
    params["_meta"] = json!({
        "io.modelcontextprotocol/protocolVersion": STATELESS,
        "io.modelcontextprotocol/clientInfo": { "name": "test", "version": "1" },
        "io.modelcontextprotocol/clientCapabilities": {},
    });
    params
}

pub(crate) fn request(method: &str, params: &Value) -> String {
    json!({ "jsonrpc": "2.0", "id": 7, "method": method, "params": params }).to_string()
}

/// A way to speak the protocol.
pub(crate) trait Speaks {
    /// Sends a request and returns its reply, checked for its envelope.
    fn reply(&mut self, method: &str, params: Value) -> Value;

    /// The result of a request that succeeds.
    #[track_caller]
    fn result(&mut self, method: &str, params: Value) -> Value {
        let reply = self.reply(method, params);
        assert!(reply["error"].is_null(), "{reply:#}");
        reply["result"].clone()
    }

    /// The result of a tool, checked against the schema that the tool is listed with.
    #[track_caller]
    fn call(&mut self, tool: &str, arguments: Value) -> Value {
        let tools = self.result("tools/list", json!({}))["tools"].clone();
        let mut tools = tools.as_array().unwrap().iter();
        let schema = tools.find(|it| it["name"] == tool).unwrap()["outputSchema"].clone();
        assert_eq!(schema["type"], "object", "{tool}");
        let result = self.result("tools/call", json!({ "name": tool, "arguments": arguments }));
        assert_eq!(result["content"][0]["type"], "text", "{result:#}");
        assert_eq!(fault(&schema, &schema, &result["structuredContent"], tool), None);
        result
    }

    /// What a tool returns that succeeds.
    #[track_caller]
    fn called(&mut self, tool: &str, arguments: Value) -> Value {
        let result = self.call(tool, arguments);
        assert_eq!(result["isError"], false, "{result:#}");
        result["structuredContent"].clone()
    }

    /// The error of a request that is refused.
    #[track_caller]
    fn error(&mut self, method: &str, params: Value) -> Value {
        let reply = self.reply(method, params);
        assert!(reply["result"].is_null(), "{reply:#}");
        reply["error"].clone()
    }
}

/// POSTs to `/mcp`.
pub(crate) struct OverHttp {
    url: String,
    key: Option<String>,
    version: &'static str,
    agent: ureq::Agent,
    /// The status of the latest reply.
    pub status: u16,
}

impl OverHttp {
    pub(crate) fn new(base: &str, key: Option<&str>, version: &'static str) -> OverHttp {
        let agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(std::time::Duration::from_secs(70)))
            .proxy(None)
            .build()
            .new_agent();
        OverHttp {
            url: format!("{base}/mcp"),
            key: key.map(str::to_owned),
            version,
            agent,
            status: 0,
        }
    }
}

impl Speaks for OverHttp {
    fn reply(&mut self, method: &str, params: Value) -> Value {
        let name = params["name"].as_str().map(str::to_owned);
        let mut post = self.agent.post(&self.url).header("mcp-protocol-version", self.version);
        post = post.header("content-type", "application/json");
        if let Some(key) = &self.key {
            post = post.header("authorization", format!("Bearer {key}"));
        }
        let params = if self.version == STATELESS {
            post = post.header("mcp-method", method);
            if let Some(name) = name.filter(|_| method == "tools/call") {
                post = post.header("mcp-name", name);
            }
            stateless(params)
        } else {
            params
        };
        let mut reply = post.send(request(method, &params)).unwrap();
        self.status = reply.status().as_u16();
        let text = reply.body_mut().read_to_string().unwrap();
        let reply: Value = serde_json::from_str(&text).unwrap_or_else(|e| panic!("{e}: {text}"));
        assert_eq!((&reply["jsonrpc"], &reply["id"]), (&json!("2.0"), &json!(7)), "{text}");
        reply
    }
}

/// Runs `answerd mcp` and speaks with it over pipes.
pub(crate) struct OverStdio {
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
    version: &'static str,
}

impl OverStdio {
    pub(crate) fn start(base: &str, key: Option<&str>, version: &'static str) -> OverStdio {
        let mut child = Command::new(env!("CARGO_BIN_EXE_answerd"))
            .args(["mcp", "--url", base])
            .env("ANSWERD_API_KEY", key.unwrap_or_default())
            .current_dir(Path::new("/"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let input = child.stdin.take();
        let output = BufReader::new(child.stdout.take().unwrap());
        OverStdio { child, input, output, version }
    }

    pub(crate) fn write(&mut self, line: &str) {
        writeln!(self.input.as_mut().unwrap(), "{line}").unwrap();
    }

    /// The next message of the process.
    pub(crate) fn read(&mut self) -> Value {
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line:?}"))
    }

    /// Closes stdin; returns how the process ends.
    pub(crate) fn end(mut self) -> Option<i32> {
        drop(self.input.take());
        self.child.wait().unwrap().code()
    }
}

impl Drop for OverStdio {
    fn drop(&mut self) {
        // Both fail when it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Speaks for OverStdio {
    fn reply(&mut self, method: &str, params: Value) -> Value {
        let params = if self.version == STATELESS { stateless(params) } else { params };
        self.write(&request(method, &params));
        let reply = self.read();
        assert_eq!((&reply["jsonrpc"], &reply["id"]), (&json!("2.0"), &json!(7)), "{reply}");
        reply
    }
}
