//! The `harness` command.

use std::io::IsTerminal;
use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// candle's own worker threads spin for work between two operations, which takes the processor away from the rayon
/// threads that do nearly all of it: training was 2.5 times slower on two cores. Zero makes them sleep at once.
const CANDLE_SPIN_LIMIT: (&str, &str) = ("CANDLE_BARRIER_POOL_SPIN_LIMIT", "0");

fn main() -> ExitCode {
    // SAFETY: the first statement of the process, so there is no other thread that could read the environment.
    unsafe { std::env::set_var(CANDLE_SPIN_LIMIT.0, CANDLE_SPIN_LIMIT.1) };
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
