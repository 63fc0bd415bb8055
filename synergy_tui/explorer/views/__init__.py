"""One file per view. A view shows the app's selection and changes it; it keeps nothing that another view needs."""
