//! The binary: hands over to the command line and gives its exit code.

fn main() -> std::process::ExitCode {
    strongroom::cli::main()
}
