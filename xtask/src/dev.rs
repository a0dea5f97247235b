//! Runs the server and `trunk serve` side by side.

use std::ffi::OsString;

use crate::{
    needs::Need,
    shell::print_status,
    side_by_side,
    tools::{self, Tool},
    workspace::Workspace,
};

/// Runs both until either ends, or until this program is asked to end.
pub(crate) fn run(workspace: &Workspace, flags: &[OsString]) -> anyhow::Result<()> {
    for need in Need::TRUNK {
        need.ensure(workspace)?;
    }
    print_status("server", "building; the page with live reload will be at http://127.0.0.1:8080");
    let mut server = workspace.cargo(["run", "--quiet", "--package", "limpet", "--", "-v"]);
    server.args(flags);
    let mut trunk = tools::trunk_command(workspace, Tool::wasm_bindgen(workspace)?.folder()?)?;
    trunk.args(["serve", "--offline"]);
    side_by_side::run([server, trunk])
}
