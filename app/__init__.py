"""The investigation UI: a Streamlit app over the published snapshot. Only this package and its tests import streamlit."""
