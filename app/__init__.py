"""The investigation UI: a Streamlit app over the published snapshot. Only it and its tests import streamlit."""
