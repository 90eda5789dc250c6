from emoviz.api import collection as collection
from emoviz.api import compare as compare
from emoviz.api import evaluate as evaluate
from emoviz.api import load as load
from emoviz.api import open as open
from emoviz.api import train as train

__version__: str
