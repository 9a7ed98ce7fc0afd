//! Prints the CRDs, or writes them into the folder that is given: `crdgen charts/weir-crds/templates`.

use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    let Some(folder) = std::env::args_os().nth(1) else {
        let files = crds::manifests();
        #[allow(clippy::print_stdout, reason = "the result")]
        for (_, yaml) in files {
            print!("---\n{yaml}");
        }
        return ExitCode::SUCCESS;
    };
    for (name, yaml) in crds::manifests() {
        if let Err(error) = std::fs::write(Path::new(&folder).join(&name), yaml) {
            #[allow(clippy::print_stderr, reason = "the last word of the program")]
            {
                eprintln!("crdgen: {}/{name}: {error}", folder.display());
            }
            return ExitCode::from(3);
        }
    }
    ExitCode::SUCCESS
}
