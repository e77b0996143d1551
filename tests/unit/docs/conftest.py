import sys
from pathlib import Path

# `documentation` is shared by the tests of this folder, which is not a package.
sys.path.insert(0, str(Path(__file__).parent))
