"""The Chalice app of `predict`, yours to extend. sls-ml wrote this file once and never changes it.

The model's routes come from the Blueprint in chalicelib/model.py. Routes and middleware of your own belong
here; where a route wants a path of the model, move the model under a prefix::

    app.register_blueprint(model, url_prefix="/model")
"""

from chalice import Chalice
from chalicelib.model import model

app = Chalice(app_name="risk-predict")
app.register_blueprint(model)
