"""What is made of many feature files together: classes, templates, an analysis. No video is opened here."""
