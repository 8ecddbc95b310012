"""The HTTP API: classifier_api.py has the routes, application.py what every request passes, answers.py the bodies.

Others use: classifier_api.
"""
