//! A session over long polling: HTTP requests that are answered once there is output.

use anyhow::{Context, bail};
use serde_json::Value;

use crate::http::Http;

/// Two connections: one waits for output, the other sends input.
pub(crate) struct Polling {
    asking: Http,
    typing: Http,
    /// Form fields of every request.
    form: String,
    answer: Vec<u8>,
}

const HEADERS: &str = "Content-Type: application/x-www-form-urlencoded\r\n";

impl Polling {
    /// Opens a session.
    pub(crate) async fn open(address: &str) -> anyhow::Result<Self> {
        let mut asking = Http::open(address, HEADERS).await?;
        let typing = Http::open(address, HEADERS).await?;
        let form = format!("width=80&height=24&rooturl=http://{address}/");
        let opened = asking.ask("POST", "/", &form).await?;
        let opened: Value = serde_json::from_slice(&opened.body).context("no session was opened")?;
        let session = opened["session"].as_str().context("the response has no session name")?;
        // The name is Base64, in which two characters are special in a form.
        let session = session.replace('+', "%2B").replace('/', "%2F");
        let form = format!("width=80&height=24&session={session}");
        Ok(Self { asking, typing, form, answer: Vec::new() })
    }

    /// Waits for the next answer.
    pub(crate) async fn next(&mut self) -> anyhow::Result<()> {
        let answer = self.asking.ask("POST", "/", &self.form).await?;
        if answer.status != 200 {
            bail!("the session ended: {}", answer.status);
        }
        self.answer = answer.body;
        Ok(())
    }

    pub(crate) fn answer(&self) -> &[u8] {
        &self.answer
    }

    pub(crate) async fn send(&mut self, keys: &[u8]) -> anyhow::Result<()> {
        let keys = hex::encode_upper(keys);
        let answer = self.typing.ask("POST", "/", &format!("{}&keys={keys}", self.form)).await?;
        if answer.status != 200 {
            bail!("input was refused: {}", answer.status);
        }
        Ok(())
    }
}
