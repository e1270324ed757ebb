//! systemd's own parser of `EnvironmentFile=`, called in its shared library.

use super::{Folder, Reading};
use crate::support::{machine, provision};

/// What a unit's start does with the file: `load_env_file`, then `strv_env_clean`, which drops names that it does not
/// like. The second is not exported everywhere and only matters for such names.
const SCRIPT: &str = r#"
import ctypes, os, sys
library = ctypes.CDLL(sys.argv[1])
for path in sys.argv[2:]:
    pairs = ctypes.POINTER(ctypes.c_char_p)()
    failed = library.load_env_file(None, path.encode(), ctypes.byref(pairs))
    if failed < 0:
        open(path + ".err", "w").write(os.strerror(-failed))
        continue
    with open(path + ".out", "wb") as out:
        at = 0
        while pairs and pairs[at] is not None:
            out.write(pairs[at] + b"\0")
            at += 1
"#;

pub(super) fn load_env_file(folder: &Folder) -> Option<Vec<Reading>> {
    let library = machine::systemd_library()?;
    let mut command = folder.command(provision::python());
    Some(folder.readings_of(command.args(["-c", SCRIPT]).arg(library)))
}
