2024-12-18T07:19:38.31033 2024-12-18 07:19:38.310 [WARNING][68] felix/health.go 211: Reporter is not ready: reporting non-ready. name="InternalDataplaneMainLoop"
