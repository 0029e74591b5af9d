//! The `harness` command.

use std::io::IsTerminal;
use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    match harness::cli::run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if error.is_broken_pipe() => ExitCode::SUCCESS,
        Err(error) => {
            let plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
            eprint!("{}", error.render(std::io::stderr().is_terminal() && !plain));
            error.exit_code()
        }
    }
}
